"""The foundations (基础): words, refusals, settings, the database and its history.

Knows no rule of the plan.
"""
