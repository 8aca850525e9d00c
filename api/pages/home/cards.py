"""Cards of a member (党员的事项卡): one for each thing to do, with the way right to its form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from api.frame.address import BRANCH, CYCLE, NUMBER
from api.pages.frame.look import day
from api.pages.frame.visit import Visit

Todo = Mapping[str, Any]
BACK = "/me"
"""The page to which every form of a card leads back."""


@dataclass(frozen=True)
class OwnCard:
    """One thing that a member has to do: its name, what is known of it, and its form."""

    title: str
    said: str
    sentence: str
    branch: str
    due_on: date | None
    address: str
    words: str


def stands(row: Mapping[str, Any]) -> bool:
    """Tell whether a record was neither taken back nor rejected."""
    return row.get("withdrawn") is None and row.get("rejected") is None


def cards_of(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    """Return the cards of one to-do: one for each record that waits."""
    noun = str(todo["link"]).rstrip("/").rpartition("/")[2]
    yield from _MAKERS.get(noun, _other)(visit, todo)


def _card(todo: Todo, title: str, said: str, address: str, words: str, **query: str) -> OwnCard:
    place = f"{address}?{urlencode({**query, 'next': BACK}, safe='/')}"
    return OwnCard(title, said, todo["sentence"], todo["branch"]["name"], todo["due_on"], place, words)


def _own(visit: Visit, todo: Todo, noun: str) -> list[Any]:
    """Return the visitor's own records of a kind that count."""
    here = {"year": todo["cycle"], "code": todo["branch"]["code"]}
    rows = visit.items(f"{BRANCH}/{noun}", here)
    me = visit.call.by.staff_no
    return [row for row in rows if row.get("staff_no") == me and stands(row)]


def _self_review(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    asked = [each["id"] for each in visit.body(CYCLE, {"year": todo["cycle"]})["rules"]["aspects"]]
    written = next(iter(_own(visit, todo, "self-reviews")), None)
    if written is None:
        yield _card(todo, "写自评", f"对照 {len(asked)} 个方面", f"{todo['link']}/new", "开始写", staff_no=visit.call.by.staff_no)
        return
    count = sum(1 for name in asked if written["aspects"].get(name))
    said = f"已写 {count} / {len(asked)} 个方面，{'已提交' if written['submitted'] else '还没有提交'}"
    yield _card(todo, "补全自评" if written["submitted"] else "写自评", said, f"{todo['link']}/{written['id']}/edit", "接着写")


def _rating(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    rating = next(iter(_own(visit, todo, "ratings")), None)
    told = rating.get("feedback") if rating else None
    said = f"{day(told['given_on'])}{told['way'].zh}反馈" if told else todo["message"]
    yield _card(todo, "确认评定意见", said, f"{todo['link']}/{visit.call.by.staff_no}/acknowledge", "查看并确认")


def _commitment(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    own = {str(row["id"]): row for row in _own(visit, todo, "commitments")}
    waiting = [own[subject["id"]] for subject in todo["subjects"] if subject["id"] in own]
    if not waiting:
        yield _card(todo, "作出整改承诺", "", f"{todo['link']}/new", "去写承诺", staff_no=visit.call.by.staff_no)
    for row in waiting:
        late = row.get("due_on") is not None and row["due_on"] < visit.call.today
        at = f"{todo['link']}/{row['id']}"
        if late:
            yield _card(todo, "我的整改", f"{row['text']}（{day(row['due_on'])}前）", f"{at}/progress/new", "登记进展")
        else:
            yield _card(todo, "补全整改承诺", row["text"], f"{at}/edit", "接着写")


def _minutes(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    here = {"year": todo["cycle"], "code": todo["branch"]["code"]}
    me = visit.call.by.staff_no
    for subject in todo["subjects"]:
        row = visit.body_if_any(f"{BRANCH}/meetings/<{NUMBER}:record_id>", {**here, "record_id": int(subject["id"])})
        part = "" if row is None else "，您是记录人" if row.get("recorder") == me else "，您是主持人" if row.get("chair") == me else ""
        name = subject["name"] if row is None else f"{day(row['held_on'])}{row['purpose'].zh}"
        yield _card(todo, "确认会议记录", f"{name}{part}", f"{todo['link']}/{subject['id']}/confirm", "查看并确认")


def _measures(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    for subject in todo["subjects"]:
        yield _card(todo, "我的整改", subject["name"], f"{todo['link']}/{subject['id']}/progress/new", "登记进展")


def _tallies(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    for subject in todo["subjects"]:
        yield _card(todo, "录入测评结果", subject["name"], f"{todo['link']}/new", "去录入", subject=subject["id"])


def _other(visit: Visit, todo: Todo) -> Iterator[OwnCard]:
    yield _card(todo, todo["message"], "", todo["link"], "去办理")


_MAKERS: Mapping[str, Callable[[Visit, Todo], Iterator[OwnCard]]] = {
    "self-reviews": _self_review,
    "ratings": _rating,
    "commitments": _commitment,
    "meetings": _minutes,
    "measures": _measures,
    "tallies": _tallies,
}
"""By the last word of the place where something is missing."""
