"""Seals of the history (变更记录的封印): they prove that nobody changed it, the database's owner included.

Nothing here is read or waited for by anyone who writes. What is proven and what is not:
``docs/0037``.
"""
