"""Rules (规则): the forms of a requirement, a move and evidence.

The kinds declare theirs with these; none is declared here.
"""
