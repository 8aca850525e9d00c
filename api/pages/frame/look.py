"""The look of pages (页面的样子): templates, the words of dates, and what stands on every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Response, current_app, g
from flask import request as http
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.pages.frame.guard import form_token, new_key, safe_place
from api.pages.frame.visit import Shown, Visit
from workflow.acts import ACTS
from workflow.foundation.vocabulary import ENDED, MAIN, SCHOOL_ZONE, Role, Stage
from workflow.people.access import Action

STATIC = Path(__file__).parent.parent / "static"
PRODUCT = "党建考核暨组织生活会"

_DONE: Mapping[str, str] = {act.name: act.zh for act in ACTS}
"""The words of each act, for the line that confirms it."""


@cache
def _templates() -> Environment:
    made = Environment(loader=PackageLoader("api.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"day": day, "moment": moment, "clock": clock, "to_the_second": to_the_second, "chip": chip_of, "word": word}
    made.globals |= {"static": static_address, "product": PRODUCT, "stage_words": {stage.value: stage.zh for stage in Stage}}
    return made


@cache
def static_address(name: str) -> str:
    """Return the address of a static file, with its content's digest: a new one is fetched anew."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


@cache
def template_of(act: str) -> str:
    """Return the template of an act's form: its own, if there is one, else that of all."""
    own = f"forms/{act}.html"
    return own if (STATIC.parent / "templates" / own).exists() else "deed.html"


def day(value: date | str | None) -> str:
    """Write a day as an office does: 1月26日, with the year where it is not this one's."""
    if value is None or value == "":
        return "—"
    found = date.fromisoformat(value) if isinstance(value, str) else value
    short = f"{found.month}月{found.day}日"
    return short if found.year == datetime.now(SCHOOL_ZONE).year else f"{found.year}年{short}"


def moment(value: datetime | str | None) -> str:
    """Write a moment in the school's time."""
    if value is None:
        return "—"
    local = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(SCHOOL_ZONE)
    return f"{day(local.date())} {local:%H:%M}"


def clock(value: datetime) -> str:
    """Write the time of day of a moment in the school's time."""
    return f"{value.astimezone(SCHOOL_ZONE):%H:%M}"


def to_the_second(value: datetime) -> str:
    """Write the time of day of a moment, with its seconds."""
    return f"{value.astimezone(SCHOOL_ZONE):%H:%M:%S}"


def word(value: object) -> str:
    """Write one of our words in Chinese."""
    return str(getattr(value, "zh", value)) if isinstance(value, StrEnum) else str(value)


def chip_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the chip of a branch: its class, and its words."""
    stage = Stage(row["stage"])
    if row["ended"]:
        return "idle", "— 不再参加"
    if stage in ENDED[MAIN]:
        return "done-chip", f"✓ {stage.zh}"
    if row["overdue"]:
        return "late", f"▲ {stage.zh}"
    return ("back", f"↩ {stage.zh}") if row["round"] > 1 else ("", f"● {stage.zh}")


def rendered(visit: Visit, shown: Shown) -> Response:
    """Turn a page into a response, kept on no disk if it says anything of anybody."""
    secret = visit.call.cookie if visit.signed_in else ""
    values = {
        "title": shown.title,
        "trail": shown.trail,
        "csrf": form_token(secret),
        "form_key": new_key(),
        "here": safe_place(http.full_path.rstrip("?")),
        "done": _DONE.get(http.args.get("done", "")),
        "me": visit.call.caller,
        "desk": desk_of(visit) if visit.signed_in else None,
        "today": visit.call.today,
        **shown.values,
    }
    return page_response(_templates().get_template(shown.template).render(values), shown.status, private=shown.private)


def page_response(text: str, status: int, *, private: bool = True) -> Response:
    response: Response = current_app.response_class(text, status=status, mimetype="text/html")
    response.headers["Cache-Control"] = "private, no-store" if private else "no-cache"
    return response


def failed(status: int, title: str, detail: str, headers: Mapping[str, str]) -> Response:
    """Show what went wrong, with a way home; it reads nothing, for the database may be away."""
    values = {
        "title": title,
        "detail": detail,
        "status": status,
        "request_id": g.get("request_id", ""),
        "trail": (),
        "done": None,
        "me": None,
        "desk": None,
        "csrf": "",
    }
    response = page_response(_templates().get_template("failed.html").render(values), status)
    response.headers.extend({name: value for name, value in headers.items() if name != "WWW-Authenticate"})
    return response


def desk_of(visit: Visit) -> dict[str, Any]:
    """Return the head of a page: where this visitor can go, and as whom they act."""
    by, year = visit.call.by, visit.year
    places: list[tuple[str, str]] = []
    if year is not None:
        if by.school & {Role.OFFICE, Role.COMMITTEE, Role.AUDITOR}:
            places += [(f"/{year}/", "进度"), ("/office/inbox", "待我办理"), ("/office/exceptions", "缺项"), ("/office/letters", "通知")]
            places.append((f"/{year}/assessments", "党委考核"))
        places += [
            (f"/{year}/{code}", "工作台" if len(by.branches) == 1 else code) for code, roles in sorted(by.branches.items()) if roles - {Role.MEMBER}
        ]
    if by.school & {Role.OFFICE, Role.COMMITTEE, Role.AUDITOR}:
        places.append(("/office/people", "人员"))
    if Role.ADMINISTRATOR in by.school:
        places.append(("/office/accounts", "账号"))
    if Role.OFFICE in by.school:
        places.append(("/office/years", "年度"))
    if Role.MEMBER in by.roles:
        places.append(("/me", "我的事项"))
    return {"places": places, "year": year, "acting": acting(visit), "finds": visit.may(Action.READ_PEOPLE)}


ROLE_WORDS = {
    Role.OFFICE: "党委办公室",
    Role.COMMITTEE: "党委",
    Role.AUDITOR: "督导",
    Role.ADMINISTRATOR: "系统管理",
    Role.SECRETARY: "书记",
    Role.COMMITTEE_MEMBER: "支委",
    Role.MEMBER: "党员",
}


def acting(visit: Visit) -> str:
    """Tell as whom this visitor acts: their foremost role, and for whom they stand in."""
    by = visit.call.by
    foremost = next((words for role, words in ROLE_WORDS.items() if role in by.roles), "")
    for_whom = f"（代 {'、'.join(sorted(set(by.stands_for.values())))}）" if by.stands_for else ""
    return f"{foremost} {by.name}{for_whom}".strip()
