"""The machinery for every kind (推进): the gate, the moves, waivers, the committee's acts.

The committee acts over many branches at once.
"""
