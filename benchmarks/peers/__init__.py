"""Peers (同行): the same move as experienced people usually write it with other frameworks.

Each has sign-in by token, the row held, three checks, history and a letter, in one transaction.
They do less than the product: no access table, no version to match, no history of values, no
replay. Neither of them is tuned, and neither is made slow: connections persist, queries are joined
where the authors of such code join them, and both run under gunicorn with as many workers and
threads as the product.
"""
