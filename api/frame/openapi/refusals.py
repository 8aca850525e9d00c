"""Descriptions of refusals (拒绝): one component for each, one response per status (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from api.frame.errors import status_of
from api.frame.openapi.schemas import Described, reference
from api.frame.shapes import LocatedShape, UnmetShape
from api.frame.words import both, said
from workflow.appraisal.meetings.tellers import TallyMismatch
from workflow.foundation import errors
from workflow.foundation.errors import Refusal, Words


class SinceShape(TypedDict):
    """One change since the version that the caller had seen (此后的一次变化)."""

    at: Annotated[str, said("时间", "moment")]
    by: Annotated[str, said("办理人学工号", "staff number of the person who did it")]
    version: NotRequired[Annotated[int, said("改成了哪个版本", "the version that came of it")]]
    fields: NotRequired[Annotated[list[str], said("改了哪些项", "fields that changed")]]
    trigger: NotRequired[Annotated[str, said("动作", "trigger of a move")]]
    to: NotRequired[Annotated[str, said("到哪个环节", "stage that was entered")]]
    extension: NotRequired[Annotated[str, said("哪个环节延期", "stage that got a later day")]]
    due_on: NotRequired[Annotated[str, said("延期到", "the later day")]]


class ToldShape(TypedDict):
    """The reason for a refusal (RFC 9457)."""

    type: Annotated[str, said("错误种类，也是说明它的地址", "kind of the problem: the address that explains it")]
    title: Annotated[str, said("种类的名称", "name of the kind")]
    status: Annotated[int, said("HTTP 状态码", "HTTP status")]
    detail: Annotated[str, said("这一次为什么", "reason of this one")]
    instance: Annotated[str, said("请求的路径", "path that was asked")]
    request_id: Annotated[str, said("请求编号，报告问题时给管理员", "number of the request, for the administrator")]


_ERRORS = said("各项的错误，键为字段，如 present.0", "faults by field, such as present.0")
_UNMET = said("全部未满足的要求", "all requirements that are not met")
_CHANGED = said("此后的变化", "changes since")
_VERSION = said("现在的版本", "present version")


class ProblemShape(ToldShape):
    """Any refusal; the status says which of the other fields are there (错误)."""

    errors: NotRequired[Annotated[dict[str, list[str]], _ERRORS]]
    unmet: NotRequired[Annotated[list[UnmetShape], _UNMET]]
    changed: NotRequired[Annotated[list[SinceShape], _CHANGED]]
    version: NotRequired[Annotated[int, _VERSION]]


class InvalidShape(ToldShape):
    """Wrong input, field by field."""

    errors: Annotated[dict[str, list[str]], _ERRORS]


class StaleShape(ToldShape):
    """The version that was seen is no longer the present one."""

    version: Annotated[int, _VERSION]
    changed: NotRequired[Annotated[list[SinceShape], _CHANGED]]


class ExistsShape(ToldShape):
    """There is one already."""

    constraint: NotRequired[Annotated[str | None, said("哪条唯一约束", "constraint that allows only one")]]


class LackingShape(ToldShape):
    """The plan asks for more."""

    unmet: Annotated[list[UnmetShape], _UNMET]


class BranchesLackingShape(ToldShape):
    """The plan asks for more of some of the branches."""

    unmet: Annotated[list[LocatedShape], _UNMET]


class MismatchShape(ToldShape):
    """The two tellers' numbers differ."""

    lines: Annotated[list[str], said("哪几项不一致：数目、评议项目或学工号", "lines that differ: numbers, sides of the committee, staff numbers")]


CARRIES: Mapping[type[Refusal], type] = {
    errors.Invalid: InvalidShape,
    errors.Stale: StaleShape,
    errors.Exists: ExistsShape,
    errors.RequirementsUnmet: LackingShape,
    errors.BranchesLack: BranchesLackingShape,
    TallyMismatch: MismatchShape,
}
"""The shapes of refusals that carry more than the common fields."""
TOLD_APART = (409, 412, 422)
"""Statuses whose refusals are each a component, with the slug as the constant ``type``."""
ALWAYS = (errors.Conflict, errors.Exists)
"""Refusals that any change may meet: the database's constraints raise them."""


def told_apart() -> Iterator[type[Refusal]]:
    """Yield the refusals with a component of their own."""
    return (each for each in every_refusal(Refusal) if status_of(each) in TOLD_APART)


def every_refusal(cls: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in cls.__subclasses__():
        yield each
        yield from every_refusal(each)


def component_of(refusal: type[Refusal]) -> str:
    return f"{refusal.__name__}Problem"


def shapes() -> list[type]:
    """List the types of refusals."""
    return [ProblemShape, ToldShape, *CARRIES.values()]


def specialise(components: dict[str, Described]) -> None:
    """Make the component of each refusal: its shape, with its slug as the constant ``type``."""
    for refusal in told_apart():
        shape = components[CARRIES.get(refusal, ToldShape).__name__]
        kind = {**shape["properties"]["type"], "const": f"/docs/problems#{refusal.slug}"}
        components[component_of(refusal)] = {**shape, "description": both(refusal.title), "properties": {**shape["properties"], "type": kind}}


# ── responses ─────────────────────────────────────────────────────────────────────────────────────────────────────────

RETRY = (429, 503)


def by_status(refusals: Iterable[type[Refusal]]) -> dict[int, list[type[Refusal]]]:
    found: dict[int, list[type[Refusal]]] = {}
    for each in refusals:
        found.setdefault(status_of(each), []).append(each)
    return found


def response_name(refusals: list[type[Refusal]]) -> str:
    """Name the response that any of these becomes: ``ConflictOrStageClosed``."""
    return "Or".join(each.__name__ for each in refusals if each is not errors.Exists)


def response(refusals: list[type[Refusal]]) -> Described:
    """Describe the response of one status."""
    status = status_of(refusals[0])
    several = [reference(component_of(each)) for each in refusals] if status in TOLD_APART else [reference("ProblemShape")]
    headers = {}
    if status in RETRY:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == 401:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    words = "；".join(f"`{each.slug}` {each.title.zh}" for each in refusals), "; ".join(each.title.en for each in refusals)
    described: Described = {
        "description": both(Words(*words)),
        "content": {"application/problem+json": {"schema": several[0] if len(several) == 1 else {"oneOf": several}}},
    }
    return {**described, "headers": headers} if headers else described
