"""Fields (填写项): reading text, days and numbers of input, and messages about wrong ones.

Messages are in Chinese and English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import Any, TypedDict, Unpack

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load
from marshmallow.validate import Length, OneOf, Range

from workflow.foundation.errors import MOST_FAULTS, Words
from workflow.foundation.fields.texts import TextFault, cleaned, must_be_one_line, too_long

STAFF_NO = re.compile(r"[0-9A-Za-z_-]{1,32}")
MOST = 2**31 - 1
"""The largest number that a field takes, unless it sets its own."""
SHORT, LONG = 200, 10_000
"""The most characters of a line, and of a text."""

Sent = Mapping[str, Any]
"""Input that its schema has read: the schema says which keys there are, and of which type."""

Said = Mapping[str, Any]
"""Label, help and example of a field, as ``about`` gives them."""
AnyField = fields.Field[Any]


class Saying(TypedDict):
    """The description of a field by ``about``, as an option of marshmallow."""

    metadata: Said


class FieldOptions(TypedDict, total=False):
    """The options of a marshmallow field that our fields pass on."""

    required: bool
    load_default: object
    dump_only: bool
    load_only: bool
    attribute: str
    data_key: str
    allow_none: bool
    metadata: Said


_REQUIRED = Words("必须填写", "is required")
_UNKNOWN = Words("没有这一项", "unknown field")

Schema.error_messages = {"unknown": _UNKNOWN, "type": Words("应为一个 JSON 对象", "must be a JSON object")}


def _say(field: type[AnyField], **messages: Words) -> None:
    field.default_error_messages = {**field.default_error_messages, **messages}


_say(fields.Field, required=_REQUIRED, null=_REQUIRED, validator_failed=Words("填写有误", "is not valid"))
_say(fields.List, invalid=Words("应为一个列表", "must be a list"))
_say(fields.Nested, type=Words("应为一个对象", "must be an object"))
_say(fields.Mapping, invalid=Words("应为一个对象", "must be an object"))
_say(fields.Boolean, invalid=Words("应为 true 或 false", "must be true or false"))


def about(zh: str, en: str, help_zh: str = "", help_en: str = "", *, example: object = None, **more: object) -> Saying:
    """Describe a field: its label, a sentence of help, an example (``Day(**about(…))``).

    The description is used everywhere the field is shown.
    """
    said: dict[str, object] = {"label": Words(zh, en)}
    if help_zh:
        said["help"] = Words(help_zh, help_en)
    if example is not None:
        said["example"] = example
    return {"metadata": {**said, **more}}


class Body(Schema):
    """The shape of a request and of an answer: unknown fields are refused, null means left out.

    A field with ``dump_only`` is only answered, one with ``load_only`` is only sent. An instance is
    made once: making a new one costs more than using it.
    """

    class Meta:
        unknown = RAISE

    @pre_load
    def _null_means_left_out(self, data: object, **_: object) -> object:
        if not isinstance(data, Mapping):
            return data
        known = {field.data_key or name for name, field in self.load_fields.items()}
        # Of strange names no more than can be told: each costs as much as a field of ours.
        strange = set(islice((name for name in data if name not in known), MOST_FAULTS + 1))
        return {name: value for name, value in data.items() if value is not None and (name in known or name in strange)}

    def shown(self, row: object, without: frozenset[str] = frozenset()) -> dict[str, object]:
        """Return a row as its reader sees it, ``without`` the fields hidden from this reader.

        Values stay as they are: the code that writes them out knows days and words. marshmallow's
        own ``dump`` would turn each into text first.
        """
        return {name: read(row) for name, read in self._readers if name not in without}

    @cached_property
    def _readers(self) -> tuple[tuple[str, Callable[[object], object]], ...]:
        return tuple(
            (field.data_key or name, _reader(field, field.metadata.get("reads") or field.attribute or name))
            for name, field in self.dump_fields.items()
        )


class Answered(Body):
    """A schema for answers too: a field that may be left out is answered as null.

    Except a field that the product always knows.
    """

    def on_bind_field(self, field_name: str, field_obj: fields.Field[object]) -> None:
        if not field_obj.required and not field_obj.metadata.get("always"):
            field_obj.allow_none = True
            for listed, null in (("enum", None), ("anyOf", {"type": "null"})):
                if listed in field_obj.metadata:
                    field_obj.metadata = {**field_obj.metadata, listed: [*field_obj.metadata[listed], null]}


def _getter(attribute: str) -> Callable[[object], Any]:
    """Make the function that reads a value of a row.

    The value may be in what the row refers to (``branch.code``; null if it refers to nothing), or
    in an object in a JSON column.
    """
    reference, dot, below = attribute.partition(".")
    if dot:
        refer, of_other = attrgetter(reference), attrgetter(below)
        return lambda row: None if (other := refer(row)) is None else of_other(other)
    of_row = attrgetter(attribute)
    return lambda row: row.get(attribute) if isinstance(row, dict) else of_row(row)


def _reader(field: fields.Field[object], attribute: str) -> Callable[[object], object]:
    """Make the function that reads a field from a row.

    It reads the attribute; an object below it, or a list of them, is read by its own schema.
    """
    get = _getter(attribute)
    inner = field.inner if isinstance(field, fields.List) else field
    if not isinstance(inner, fields.Nested):
        return get
    below = inner.schema
    assert isinstance(below, Body)  # noqa: S101  (all schemas of ours are)
    if inner is not field:
        return lambda row: [below.shown(each) for each in get(row)]
    return lambda row: None if (value := get(row)) is None else below.shown(value)


class Inner(fields.Nested):
    """An object in a body. A change may leave it out, but must send it whole."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, partial=False, **kwargs)


class ByName(fields.Dict):
    """Values by names that come from people or from the plan, at most so many.

    Null means left out; a message about a value stands at its name.
    """

    def __init__(self, *, at_most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.at_most, self.metadata = at_most, {"maxProperties": at_most, **self.metadata}

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> Any:
        if isinstance(value, Mapping) and len(value) > self.at_most:
            raise ValidationError([Words(f"最多 {self.at_most} 项", f"at most {self.at_most} items")])
        sent = {name: each for name, each in value.items() if each is not None} if isinstance(value, Mapping) else value
        try:
            return super()._deserialize(sent, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            if not isinstance(error.messages, Mapping):
                raise
            raise ValidationError({name: wrong.get("key") or wrong["value"] for name, wrong in error.messages.items()}) from None


class ItemsOf(fields.List[Any]):
    """A list of so many items; a longer one is refused before any of them is read."""

    def __init__(self, item: AnyField, *, at_most: int, at_least: int = 0, distinct: bool = False, **kwargs: Unpack[FieldOptions]) -> None:
        if distinct:
            kwargs["metadata"] = {"uniqueItems": True, **kwargs.get("metadata", {})}
        self.limit = Length(at_least, at_most, error=Words(f"应有 {at_least} 至 {at_most} 项", f"must have {at_least} to {at_most} items"))
        super().__init__(item, validate=[self.limit, *([no_repetition] if distinct else [])], **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: Any) -> list[object]:
        return super()._deserialize(self.limit(value) if isinstance(value, list) else value, attr, data, **kwargs)


class LongText(fields.String):
    """A text that people write, as ``cleaned`` keeps it; empty only if ``blank``."""

    def __init__(self, *, at_most: int = LONG, blank: bool = False, **kwargs: Unpack[FieldOptions]) -> None:
        self.at_most = at_most
        longest = Length(max=at_most, error=too_long(at_most).words)
        super().__init__(validate=[longest, *([] if blank else [Length(min=1, error=_REQUIRED)])], **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str:
        if not isinstance(value, str):
            raise ValidationError([Words("应为文字", "must be text")])
        try:
            return self.read(value)
        except TextFault as fault:
            raise ValidationError([fault.words]) from None

    def read(self, value: str) -> str:
        """Return the text as it is kept. Raises TextFault."""
        return cleaned(value, self.at_most)


class Line(LongText):
    """One line of text, without line separators and controls of its direction (bidi)."""

    def __init__(self, *, at_most: int = SHORT, **kwargs: Unpack[FieldOptions]) -> None:
        super().__init__(at_most=at_most, **kwargs)

    def read(self, value: str) -> str:
        text = super().read(value)
        must_be_one_line(text)
        return text


class StaffNo(fields.String):
    """A 学工号: 1 to 32 letters, digits, ``-`` or ``_``."""

    def __init__(self, **kwargs: Unpack[FieldOptions]) -> None:
        super().__init__(**kwargs)
        self.metadata = {"pattern": f"^{STAFF_NO.pattern}$", **self.metadata}

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str:
        if not isinstance(value, str) or not STAFF_NO.fullmatch(value):
            raise ValidationError([Words("学工号为 1 至 32 位字母、数字、- 或 _", "a staff number has 1 to 32 letters, digits, - or _")])
        return value


class EmailAddress(fields.Email):
    """A mail address."""

    def __init__(self, **kwargs: Unpack[FieldOptions]) -> None:
        wrong = Words("应为邮箱地址，如 office@school.example", "must be a mail address such as office@school.example")
        longest = Length(max=SHORT, error=Words(f"最多 {SHORT} 个字", f"at most {SHORT} characters"))
        super().__init__(validate=longest, error_messages={"invalid": wrong}, **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: Any) -> str:
        # Before its form is looked at, which takes longer the longer it is.
        if isinstance(value, str) and len(value) > SHORT:
            raise ValidationError([too_long(SHORT).words])
        return super()._deserialize(value, attr, data, **kwargs)


class Day(fields.Date):
    """A day as ``YYYY-MM-DD``, between 1900 and 2999."""

    PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> date:
        try:
            if not isinstance(value, str) or not self.PATTERN.fullmatch(value):
                raise ValueError
            day = date.fromisoformat(value)
            if not 1900 <= day.year <= 2999:
                raise ValueError
        except ValueError:
            raise ValidationError([Words("应为日期，如 2025-01-26", "must be a day such as 2025-01-26")]) from None
        return day


class Clock(fields.Time):
    """A time of the local day as ``HH:MM``."""

    PATTERN = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)

    def __init__(self, **kwargs: Unpack[FieldOptions]) -> None:
        super().__init__(**kwargs)
        self.metadata = {"pattern": f"^{self.PATTERN.pattern}$", **self.metadata}

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> time:
        if not isinstance(value, str) or not self.PATTERN.fullmatch(value):
            raise ValidationError([Words("应为时刻，如 14:30", "must be a time such as 14:30")])
        return time.fromisoformat(value)


class Moment(fields.AwareDateTime):
    """A moment with its offset (RFC 3339)."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
            if moment.tzinfo is None:
                raise ValueError(value)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError([Words("应为带时区的时间，如 2025-01-26T09:00:00+08:00", "must be a moment with its offset")]) from None


class Truth(fields.Boolean):
    """A truth value: JSON's true or false, nothing that looks like them."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Whole(fields.Integer):
    """A whole number of JSON: no text, no fraction, no truth value."""

    def __init__(self, *, at_least: int = 0, at_most: int = MOST, **kwargs: Unpack[FieldOptions]) -> None:
        between = _between(at_least, at_most)
        super().__init__(strict=True, validate=Range(at_least, at_most, error=between), error_messages={"invalid": between}, **kwargs)


class TextOrNumber(fields.Raw):
    """A text of people, or the number of a record that already says it."""

    def __init__(self, *, at_most: int = LONG, **kwargs: Unpack[FieldOptions]) -> None:
        super().__init__(**kwargs)
        self.text, self.number = LongText(at_most=at_most), Whole(at_least=1)
        described = [{"type": "string", "minLength": 1, "maxLength": at_most}, {"type": "integer", "minimum": 1, "maximum": MOST}]
        self.metadata = {"anyOf": described, **self.metadata}

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str | int:
        read: str | int = (self.number if type(value) is int else self.text).deserialize(value)
        return read


def _between(at_least: int, at_most: int) -> Words:
    return Words(f"应为 {at_least} 至 {at_most} 的整数", f"must be a whole number from {at_least} to {at_most}")


def one_of(words: type[StrEnum], *, among: Sequence[StrEnum] | None = None, **kwargs: Unpack[FieldOptions]) -> fields.Enum[StrEnum]:
    """Make a field for one of our words, or for some of them."""
    known = tuple(words if among is None else among)
    listed = "、".join(word.value for word in known)
    unknown = Words(f"应为 {listed} 之一", f"must be one of {listed}")
    kwargs["metadata"] = {"enum": [word.value for word in known], **kwargs.get("metadata", {})}
    return fields.Enum(words, by_value=True, validate=OneOf(known, error=unknown), error_messages={"unknown": unknown}, **kwargs)


def many(field: AnyField, *, at_most: int = 500, at_least: int = 0, **kwargs: Unpack[FieldOptions]) -> ItemsOf:
    """Make a field for a list without repetitions."""
    return ItemsOf(field, at_most=at_most, at_least=at_least, distinct=True, **kwargs)


def lines(body: type[Body], *, at_most: int = 500, **kwargs: Unpack[FieldOptions]) -> ItemsOf:
    """Make a field for a list of objects, each whole."""
    return ItemsOf(Inner(body), at_most=at_most, **kwargs)


def no_repetition(values: Iterable[object]) -> None:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ValidationError([Words(f"重复：{value}", f"repeated: {value}")])
        seen.add(value)


class Parameter(fields.Integer):
    """A whole number in an address: digits alone."""

    def __init__(self, *, at_least: int = 0, at_most: int = MOST, **kwargs: Unpack[FieldOptions]) -> None:
        between = _between(at_least, at_most)
        super().__init__(validate=Range(at_least, at_most, error=between), error_messages={"invalid": between}, **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,10}", value, re.ASCII):
            raise self.make_error("invalid")
        return int(value)


class YesNo(fields.Boolean):
    """``true`` or ``false`` in an address."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid")
        return bool(value == "true")
