"""The frame of the bench (框架): CPU time, rounds, load, PostgreSQL, servers, progress, report."""
