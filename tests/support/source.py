"""The code as its tests read it (源代码): each file is parsed once in a run."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a file into its syntax tree, for reading only."""
    return ast.parse(path.read_text(encoding="utf-8"))
