"""Rules (规则): what a requirement, a move and evidence are. The kinds declare theirs with these; none is declared here."""
