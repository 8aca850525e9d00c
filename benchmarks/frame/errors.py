"""What ends a run (出错): nothing is measured of a product that answers as it must not."""

from __future__ import annotations


class BenchFailed(Exception):
    """Something did not do what is measured; the message says what."""
