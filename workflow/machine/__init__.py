"""The machinery that knows every kind (推进): the gate, the moves, waivers, the committee's acts over many branches."""
