"""Advice to an operator (怎么办): what is wrong outside of the program, and what to do about it."""
