"""Measurements that anyone can run (测量). Nothing here is a test: what they print depends on the machine, ratios and differences do not."""
