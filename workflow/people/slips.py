"""The sheet of slips (纸条打印页): to print, to cut and to hand out, as plain text and as a page.

It is made of what it is given alone, and kept nowhere: each slip carries the code of one person.
Like all that members read, it is Chinese.
"""

from __future__ import annotations

from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from workflow.foundation.vocabulary import SCHOOL_ZONE
from workflow.people.invitations import BranchSlips

HEADED = "民主评议工作系统"
"""The line above each slip while no year is published, whose title names the school."""


def _moment(at: datetime) -> str:
    """2024年12月27日10:00, in the school's time"""
    here = at.astimezone(SCHOOL_ZONE)
    return f"{here.year}年{here.month}月{here.day}日{here:%H:%M}"


_environment = Environment(
    loader=PackageLoader("workflow.people"),
    undefined=StrictUndefined,
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["moment"] = _moment


def sheet(made: BranchSlips, *, title: str | None, contact: str | None) -> str:
    """Write the slips as plain text, a line to cut along below each one."""
    return _written("slips.txt", made, title, contact)


def page(made: BranchSlips, *, title: str | None, contact: str | None) -> str:
    """Write the slips as an HTML page for A4 that needs no other file, in two columns."""
    return _written("slips.html", made, title, contact)


def _written(template: str, made: BranchSlips, title: str | None, contact: str | None) -> str:
    return _environment.get_template(template).render(title=title or HEADED, contact=contact, branch=made.branch, slips=made.slips) + "\n"
