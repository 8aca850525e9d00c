"""The year (年度): its plan, its processes and their rolls, its days.

Knows neither requirements nor stages' records.
"""
