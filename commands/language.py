"""The operator's language (命令行的语言): what is said to them, in their words and with their command.

The command line needs it before it knows which command to run, so it imports next to nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import click

from commands.click_words import translate_click
from workflow.foundation.errors import LANGUAGES, Words
from workflow.foundation.vocabulary import Word

LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The variables that name the language of messages (POSIX): the first one that is set decides."""
ROOT = Path(__file__).parents[1]
TO_TYPE = re.compile(r"\bzhibu (?=(migrate|doctor|verify|account|token|roster|plan|cycle)\b)")
"""The commands that a sentence advises; ``zhibu serve`` and ``zhibu worker`` name the services."""


def spoken_language() -> str:
    """Choose the operator's language: ``ZHIBU_LANG``, else an English locale, else Chinese."""
    asked = os.environ.get("ZHIBU_LANG")
    if asked in LANGUAGES:
        # Another value is refused by ``read_settings``, in the language chosen below.
        return asked
    locale = next((value for name in LOCALE if (value := os.environ.get(name))), "")
    return "en" if locale.startswith("en") else "zh"


def program() -> str:
    """Name this program as its reader can type it: ``zhibu`` only where the shell finds that."""
    if shutil.which("zhibu"):
        return "zhibu"
    typed = Path(sys.argv[0])
    if typed.name == "zhibu" and not typed.is_absolute():
        return str(typed)
    return "python3 run.py" if (ROOT / "run.py").exists() else str(typed)


def say(words: Words) -> str:
    """Speak to the operator in their language.

    Help texts call it too, while their module is imported: click takes them there, and a process
    has one language. Both languages in one text would not fit the list of commands.
    """
    text = words.speak(spoken_language())
    return TO_TYPE.sub(f"{program()} ", text) if TO_TYPE.search(text) else text


def tell(words: Words, *, err: bool = False) -> None:
    """Print a sentence in the operator's language."""
    click.echo(say(words), err=err)


def named(word: Word) -> Words:
    """Name a word of the vocabulary; its English is its value."""
    return Words(word.zh, word.value.replace("_", " "))


translate_click(spoken_language)
