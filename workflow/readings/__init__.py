"""Readings (读数): values for pages and answers that are not one record.

Nothing here changes anything.
"""
