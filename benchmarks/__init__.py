"""The bench (测量): every path beside its floor, in the same rounds; see docs/performance.md."""
