"""The error that ends a run (出错): a product that answers wrongly is not measured."""

from __future__ import annotations


class BenchFailed(Exception):
    """A part of a run that did not do its work; the message says which."""
