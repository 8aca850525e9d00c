"""Bounded waits (等待的上限): nobody waits without an end for a database that says nothing.

PostgreSQL's own limits (a statement, a lock, an idle transaction) work in a server that answers.
Beyond them there are three bounds of ours; none of them changes what a transaction does:

1. a connection notices a dead network by itself (``lines.ALIVE``), in about ten seconds;
2. a request that finds no place at the database is told so at once, once nothing moves any more:
   some threads always stay free for those who ask nothing of the database (``places``);
3. a request that is too old has its lines cut: its wait ends as if the network had been lost
   (``lines``).

A line is cut, a statement is never cancelled (docs/0038-a-line-is-cut-never-a-commit.md).
"""
