"""Words of the description (说明用语): for fields of every answer, and of one alone."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workflow.foundation.errors import Words


def both(words: Words) -> str:
    """Join both languages in one line, Chinese first."""
    return f"{words.zh} · {words.en}"


def said(zh: str, en: str) -> Any:
    """Describe one field of an answer where it is declared."""
    return Field(description=both(Words(zh, en)))
