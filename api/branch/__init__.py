"""Routes of one process (流程): where it stands, its moves, its roll, its waivers."""
