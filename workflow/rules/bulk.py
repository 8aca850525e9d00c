"""Bulk (成批办理): any act done many times in one transaction, all or none.

An act gets its bulk form by one line, ``bulk(ACT)``. History and letters are those of the single
acts, since each item is the single act with its own checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from marshmallow import fields

from workflow.foundation.database import ConstraintFault, act_as, refusal_of
from workflow.foundation.errors import BranchesLack, Forbidden, Invalid, NotFound, Refusal, RequirementsUnmet, Stale, Words
from workflow.foundation.fields import AnyField, Body, ItemsOf, Line, Sent, StaffNo, Whole, about
from workflow.rules.acts import Act, AnyAct, Call, Done, carry_out, enter, wants_version
from workflow.year.cycle import Cycle, Process
from workflow.year.finding import cycle_by_year, processes_of

On = TypeVar("On")

MOST = 200
"""The most items of one bulk act."""
_CODE = "code"
_REQUIRED = Words("必须填写", "is required")


def by_code() -> AnyField:
    """Make the field by which an item names its branch."""
    return Line(required=True, at_most=32, **about("党支部", "branch", "党支部代码", "code of the branch", example="D0101"))


def by_staff_no() -> AnyField:
    """Make the field by which an item names the person whose record or line it is."""
    return StaffNo(required=True, **about("何人", "member", "学工号", "staff number", example="20160005"))


def bulk(act: Act[On, Any], **names: AnyField) -> Act[Any, Done]:
    """Make the act that does another one for each of ``items``, 200 at most.

    ``names``: the names of the single act's address that an item gives beside its body. With
    ``code`` among them it is done to branches of a whole year. An act that wants a version takes
    one with each item.

    1. All items are read; each fault is named by its index.
    2. Their processes are locked together, in id order.
    3. Each item is done in a savepoint of its own, in the order of the names; after a refusal the
       others are still tried.
    4. If any was refused, all are taken back, and every refusal is told by its index.

    Raises Invalid, and the refusals of the act.
    """
    of_year = _CODE in names

    def done(call: Call[Any], sent: Sent) -> Done:
        items: Sequence[Sent] = sent["items"]
        _must_not_repeat(items, names)
        here = _processes(call, act, items) if of_year else {}
        rows: dict[int, Any] = {}
        refused: dict[int, Refusal] = {}
        # By their keys, so that two of them never wait for one another in a circle.
        for index in sorted(range(len(items)), key=lambda at: [items[at][name] for name in names]):
            try:
                with call.session.begin_nested():
                    rows[index] = _do(call, act, items[index], names, here)
            except Refusal as refusal:
                refused[index] = refusal
            except ConstraintFault as fault:
                refused[index] = refusal_of(fault)
        if refused:
            raise _together(dict(sorted(refused.items())))
        return Done([row for _, row in sorted(rows.items())])

    if of_year:
        place: dict[str, Any] = {"on": lambda call, year: cycle_by_year(call.session, year)}
    else:
        place = {"kind": act.kind, "lock": act.lock, "on": None if names else act.on}
    schema = _schema(act, names)
    return Act(
        f"{act.name}_in_bulk", f"成批{act.zh}", f"{act.en}, many at once", act.action, done, sends=schema, closes=act.closes, link=act.link, **place
    )


def _schema(act: AnyAct, names: Mapping[str, AnyField]) -> Body:
    """Make the body: a list of the single act's bodies, each with its names and its version."""
    alone = type(act.sends) if act.sends is not None else Body
    called = "".join(part.title() for part in act.name.split("_"))
    beside = dict(names)
    if act.wants_version:
        said = about("版本", "version", "看到的版本，即 ETag 里的数", "the version that was seen, as in its ETag", example=1)
        beside["version"] = Whole(**said)
    words = {"__doc__": f"An item of many: {act.en} ({act.zh}的一项).", **beside}
    # Names stay required where the single act changes some fields of a thing.
    partial = tuple(act.sends.load_fields) if act.sends is not None and act.sends.partial else None
    answered = [name for name, field in alone().fields.items() if field.dump_only]
    item: Body = type(f"{called}Item", (alone,), words)(partial=partial, exclude=answered)
    said = about("各项", "items", f"1 至 {MOST} 项，全部办成或者全部不办", f"1 to {MOST} of them, all or none", example=[_example(item, beside)])
    listed = ItemsOf(fields.Nested(item), at_least=1, at_most=MOST, required=True, **said)
    body: type[Body] = type(f"{called}InBulk", (Body,), {"__doc__": f"Many at once: {act.en} (成批{act.zh}).", "items": listed})
    return body()


def _example(item: Body, beside: Mapping[str, AnyField]) -> dict[str, Any]:
    """Make an item to send: its names and version, and what it must say or could change."""
    shown = {name: field.metadata["example"] for name, field in item.load_fields.items() if "example" in field.metadata}
    content = [name for name in shown if name not in beside]
    said = [name for name in content if item.load_fields[name].required] or content[-1:]
    return {name: value for name, value in shown.items() if name in beside or name in said}


def _must_not_repeat(items: Sequence[Sent], names: Mapping[str, AnyField]) -> None:
    """Refuse two items for one thing. Raises Invalid that names the second by its index."""
    if not names:
        return
    first: dict[tuple[Any, ...], int] = {}
    faults: dict[str, Words] = {}
    for index, item in enumerate(items):
        if (at := first.setdefault(tuple(item[name] for name in names), index)) != index:
            faults[f"items.{index}.{[*names][-1]}"] = Words(f"与第 {at + 1} 项重复", f"repeats item {at + 1}")
    if faults:
        raise Invalid(faults)


def _processes(call: Call[Cycle], act: AnyAct, items: Sequence[Sent]) -> Mapping[str, Process]:
    """Lock the processes that items name, as far as this person may do the act there.

    Raises Invalid for the others, which are refused like branches that do not exist.
    """
    assert act.kind is not None  # noqa: S101  (an act on branches has one)
    allowed = [code for code in {item[_CODE] for item in items} if _may(call, act, code)]
    found = {each.branch.code: each for each in processes_of(call.session, call.on, act.kind, lock=act.lock, codes=allowed)}
    unknown = {index: item[_CODE] for index, item in enumerate(items) if item[_CODE] not in found}
    if unknown:
        year = call.on.year
        raise Invalid(
            {
                f"items.{at}.{_CODE}": Words(f"{year}年度没有党支部 {code} 参加", f"no branch {code} takes part in {year}")
                for at, code in unknown.items()
            }
        )
    return found


def _may(call: Call[Any], act: AnyAct, code: str) -> bool:
    try:
        return act.action is None or bool(call.by.may(act.action, code))
    except NotFound:
        return False


def _do(call: Call[Any], act: Act[On, Any], item: Sent, names: Mapping[str, AnyField], here: Mapping[str, Process]) -> Any:
    """Do one item as the single act would be done."""
    sent = {name: value for name, value in item.items() if name not in names and not (act.wants_version and name == "version")}
    rest = {name: item[name] for name in names if name != _CODE}
    if here and act.action is not None:
        # Another branch: the one before may have been a branch in which they stand for somebody.
        act_as(call.session, actor=call.by.staff_no)
        call = replace(enter(call, act.action, item[_CODE], changes=True), on_process=here[item[_CODE]])
    if act.on is not None and names:
        try:
            call = replace(call, found=act.on(call, **rest))
        except NotFound as refusal:
            raise Invalid({[*names][-1]: refusal.detail}) from None
    if wants_version(call, act):
        if "version" not in item:
            raise Invalid({"version": _REQUIRED})
        call = replace(call, version_seen=item["version"])
    return carry_out(call, act, sent)


def _together(refused: Mapping[int, Refusal]) -> Refusal:
    """Make one refusal of those of several items: the kind that is told first, with all faults."""
    errors: dict[str, list[Words]] = {}
    for index, refusal in refused.items():
        faults = refusal.errors if isinstance(refusal, Invalid) else {"_schema": [refusal.detail]}
        errors.update({f"items.{index}" if field == "_schema" else f"items.{index}.{field}": words for field, words in faults.items()})
    told = min(refused, key=lambda index: (_rank(refused[index]), index))
    first = refused[told]
    if isinstance(first, Invalid):
        return Invalid(errors)
    lacking = [row for each in refused.values() if isinstance(each, RequirementsUnmet) for row in each.extra.get("unmet", [])]
    if isinstance(first, RequirementsUnmet):
        first = BranchesLack(first.detail, **{**first.extra, "unmet": lacking})
    first.detail = Words(f"第 {told + 1} 项：{first.detail.zh}", f"item {told + 1}: {first.detail.en}")
    first.extra["errors"] = errors
    return first


_TOLD_FIRST: tuple[type[Refusal], ...] = (Invalid, Forbidden, Stale)


def _rank(refusal: Refusal) -> int:
    """Return the place of a refusal in the order of answers: 422, 403, 412, then conflicts."""
    return next((place for place, kind in enumerate(_TOLD_FIRST) if isinstance(refusal, kind)), len(_TOLD_FIRST))
