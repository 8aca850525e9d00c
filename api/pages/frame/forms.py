"""Forms (表单): controls built from the schema of an act, and a form read back into a body.

Label, help, choices, limits and example are those of the field; a field that is declared appears
here by itself. No rule stands here: what was typed is read by the schema, as the API's body is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from marshmallow import fields

from workflow.foundation.errors import Words
from workflow.foundation.fields import (
    AnyField,
    Body,
    ByName,
    Clock,
    Day,
    EmailAddress,
    Line,
    LongText,
    Moment,
    StaffNo,
    TextOrNumber,
    Truth,
    Whole,
)
from workflow.foundation.vocabulary import SCHOOL_ZONE

Choice = tuple[str, str]
"""A value, and the words that people read."""
Choices = Sequence[Choice]

PICKED = "_picked"
"""The boxes of a table of many: only the rows that are ticked are sent."""
WAS = "_was"
"""The values of a row when it was shown: a row that is as it was is not sent."""
ALIKE = "*"
"""The row of a table of many whose values are those of every row without its own."""
EMPTY_ROWS = 1
"""The empty rows that a list of objects offers below those that are filled."""
FEW = 5
"""The most choices that stand beside each other; more of them become a list to open."""


@dataclass(frozen=True)
class Known:
    """Possible values that the page knows, by the name of the field (可选的值)."""

    people: Choices = ()
    """The people of this branch."""
    choices: Mapping[str, Choices] = field(default_factory=dict)
    """For fields that name records or other things."""
    names: Mapping[str, Choices] = field(default_factory=dict)
    """For fields that hold values by name."""
    helps: Mapping[str, str] = field(default_factory=dict)
    """More words beside a field, by its path: a sentence of the plan."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """For fields that are not asked: this visitor has no other value for them here."""


@dataclass
class Control:
    """One control of a form, or a group of them (填写框)."""

    name: str
    """Its path in the body: ``absent.0.staff_no``."""
    shape: str
    """The macro of the template that draws it."""
    label: str
    help: str = ""
    example: str = ""
    required: bool = False
    at_most: int | None = None
    value: Any = ""
    choices: Choices = ()
    others: bool = False
    """True if others than the choices may be written too."""
    errors: Sequence[str] = ()
    parts: Sequence[Control] = ()
    rows: Sequence[Sequence[Control]] = ()

    @property
    def key(self) -> str:
        """Return its id in the page."""
        return "f-" + self.name.replace(".", "-")


Errors = Mapping[str, Sequence[Words]]


def controls_of(schema: Body, values: Mapping[str, Any], errors: Errors, known: Known, *, hidden: Iterable[str] = ()) -> list[Control]:
    """Build the controls of a body, in the order of its fields, with what stands in them."""
    left_out = set(hidden)
    return [_control(each, name, values.get(name), errors, known, known_as=name) for name, each in _sent_fields(schema) if name not in left_out]


def _sent_fields(schema: Body) -> list[tuple[str, AnyField]]:
    return [(each.data_key or name, each) for name, each in schema.load_fields.items()]


def _control(of: AnyField, name: str, value: Any, errors: Errors, known: Known, *, known_as: str) -> Control:
    """Build the control of one field. ``known_as`` is its name without the rows above it."""
    said = of.metadata
    made = Control(
        name=name,
        shape="line",
        label=said["label"].zh if "label" in said else "",
        help=said["help"].zh if "help" in said else "",
        example=_shown(said["example"]) if isinstance(said.get("example"), (str, int)) and not isinstance(said["example"], bool) else "",
        required=of.required,
        value=_shown(value),
        errors=[words.zh for words in errors.get(name, ())],
    )
    for kind, fill in _SHAPES:
        if isinstance(of, kind):
            fill(made, of, value, errors, known, known_as)
            break
    if name in known.fixed:
        made.shape, made.value = "fixed", known.fixed[name]
    return made


# ── one filler for each kind of field ─────────────────────────────────────────────────────────────────────────────────


def _text(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    made.shape, made.at_most = "password" if known_as.endswith("password") else "text", of.at_most


def _line(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    made.at_most = of.at_most
    if known_as in known.choices:
        _choose(made, known.choices[known_as])


def _as(shape: str) -> Callable[..., None]:
    def fill(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
        made.shape = shape

    return fill


def _yes(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    made.shape, made.value = "yes", bool(value)


def _word(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    words = [of.enum(each) for each in of.metadata["enum"] if each is not None]
    _choose(made, known.choices.get(known_as) or [(word.value, getattr(word, "zh", word.value)) for word in words])


def _person(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    made.at_most = 32
    if people := known.choices.get(known_as, known.people):
        _choose(made, people, open_list=True)


def _choose(made: Control, choices: Choices, *, open_list: bool = False) -> None:
    made.shape = "radio" if len(choices) <= FEW and not open_list else "choice"
    # What stands there already stays, though nobody would be offered it today.
    known = {value for value, _ in choices}
    made.choices = choices if not made.value or made.value in known else [(made.value, made.value), *choices]


def _group(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    inside = value if isinstance(value, Mapping) else {}
    made.shape = "group"
    made.parts = [
        _control(each, f"{made.name}.{name}", inside.get(name), errors, known, known_as=f"{known_as}.{name}")
        for name, each in _sent_fields(of.schema)
    ]
    if not made.required and not inside:
        # Left empty as a whole: the browser must not insist on a part of it.
        for part in made.parts:
            part.required = False


def _by_name(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    inside = value if isinstance(value, Mapping) else {}
    named = known.names.get(known_as, [(name, name) for name in inside])
    made.shape, values = "group", of.value_field or LongText()
    made.parts = []
    for name, label in named:
        part = _control(values, f"{made.name}.{name}", inside.get(name), errors, known, known_as=f"{known_as}.*")
        part.label, part.help = label, known.helps.get(part.name, part.help)
        made.parts.append(part)


def _list(made: Control, of: Any, value: Any, errors: Errors, known: Known, known_as: str) -> None:
    # An address names one of them: ``?problems=3``.
    items = list(value) if isinstance(value, (list, tuple)) else [value] if isinstance(value, str) and value else []
    inner = of.inner
    if isinstance(inner, fields.Nested):
        made.shape, items = "rows", [each for each in items if isinstance(each, Mapping)]
        asked = max(1, len(items) + EMPTY_ROWS)
        made.rows = [_row(made.name, inner, items[at] if at < len(items) else {}, at, errors, known, known_as) for at in range(asked)]
        return
    choices = known.choices.get(known_as) or (known.people if isinstance(inner, StaffNo) else ())
    if isinstance(inner, fields.Enum):
        choices = [(word.value, getattr(word, "zh", word.value)) for word in inner.enum]
    if choices:
        made.shape, made.value = "ticks", [_shown(each) for each in items]
        made.others = isinstance(inner, Line)
        offered = {each for each, _ in choices}
        made.choices = [*choices, *((each, each) for each in made.value if each not in offered)]
        return
    made.shape, made.value = "each_line", "\n".join(_shown(each) for each in items)


def _row(name: str, inner: Any, item: Any, at: int, errors: Errors, known: Known, known_as: str) -> list[Control]:
    inside = item if isinstance(item, Mapping) else {}
    row = []
    for part, each in _sent_fields(inner.schema):
        control = _control(each, f"{name}.{at}.{part}", inside.get(part), errors, known, known_as=f"{known_as}.{part}")
        # An empty row is no row: the browser must not insist on it.
        control.required = control.required and bool(inside)
        row.append(control)
    return row


_SHAPES: Sequence[tuple[type[AnyField] | tuple[type[AnyField], ...], Callable[..., None]]] = (
    (Line, _line),
    (LongText, _text),
    (StaffNo, _person),
    (EmailAddress, _as("email")),
    (Day, _as("day")),
    (Clock, _as("clock")),
    (Moment, _as("moment")),
    (Whole, _as("number")),
    (Truth, _yes),
    (fields.Enum, _word),
    (TextOrNumber, _as("text")),
    (ByName, _by_name),
    (fields.List, _list),
    (fields.Nested, _group),
)
"""The first that fits draws it; a subclass stands before its class."""


def _shown(value: Any) -> str:
    """Return a value as it stands in a control."""
    match value:
        case None:
            return ""
        case datetime():
            return f"{value.astimezone(SCHOOL_ZONE):%Y-%m-%dT%H:%M}"
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case _:
            return str(value)


# ── a form that was sent ──────────────────────────────────────────────────────────────────────────────────────────────


class Typed:
    """A form as it was typed: values by path, each a list."""

    def __init__(self, sent: Mapping[str, list[str]]) -> None:
        self.sent = {name: [text.replace("\r\n", "\n") for text in values] for name, values in sent.items()}

    def one(self, name: str) -> str:
        return self.sent.get(name, [""])[-1]

    def implied(self, at: str) -> Typed:
        """Return what goes with a row that says anything.

        ``items.3.staff_no?`` goes with this row, ``items.*.way`` with each of them.
        """
        above, _, _ = at.rpartition(".")
        marked = {path[:-1]: texts for path, texts in self.sent.items() if path.startswith(f"{at}.") and path.endswith("?")}
        every = {f"{at}.{path[len(above) + 3 :]}": texts for path, texts in self.sent.items() if path.startswith(f"{above}.*.")}
        return Typed({**every, **marked})

    def written_under(self, name: str) -> str:
        """Return the parts of a text that were written, each under its heading.

        ``minutes#0`` is a part, ``minutes#0?`` its heading. A heading with nothing below it says
        nothing, and is left out.
        """
        parts = [(self.one(f"{path}?"), texts[-1].strip()) for path, texts in self.sent.items() if re.fullmatch(f"{re.escape(name)}#\\d+", path)]
        return "\n\n".join(f"{heading}\n{text}" if heading else text for heading, text in parts if text)

    def left_out(self, name: str, at: str) -> bool:
        """Tell whether a row of a table of many is not sent: not ticked, or as it was."""
        picked = self.sent.get(f"{name}.{PICKED}")
        return at in (PICKED, ALIKE) or (picked is not None and at not in picked) or self._as_it_was(f"{name}.{at}")

    def _as_it_was(self, row: str) -> bool:
        """Tell whether a row holds what stood there when it was shown; False if it does not say."""
        start = f"{row}.{WAS}."
        seen = {path[len(start) :]: values[-1] for path, values in self.sent.items() if path.startswith(start)}
        return bool(seen) and all(self.one(f"{row}.{part}").strip() == value for part, value in seen.items())

    def below(self, name: str) -> list[str]:
        """Return the next parts of paths below a name, in the order they were sent."""
        start = f"{name}."
        return list(dict.fromkeys(path[len(start) :].partition(".")[0] for path in self.sent if path.startswith(start)))


def body_of(schema: Body, typed: Typed, *, clearing: bool = False) -> dict[str, Any]:
    """Read a form into the body that a program would send.

    An empty control is left out, unless ``clearing`` and the field takes an empty text.
    """
    found = {}
    for name, each in _sent_fields(schema):
        value = _value(each, name, typed, clearing=clearing)
        if value is not None:
            found[name] = value
    return found


def _value(of: AnyField, name: str, typed: Typed, *, clearing: bool) -> Any:
    """Read the value of one field; None for an empty one."""
    if isinstance(of, ByName):
        return _named(of, name, typed, clearing=clearing)
    if isinstance(of, fields.List):
        return _items(of, name, typed, clearing=clearing)
    if isinstance(of, fields.Nested):
        schema = of.schema
        assert isinstance(schema, Body)  # noqa: S101  (all schemas of ours are)
        inside = {part: _value(each, f"{name}.{part}", typed, clearing=False) for part, each in _sent_fields(schema)}
        return {part: value for part, value in inside.items() if value is not None} or None
    text = typed.one(name) or (typed.written_under(name) if isinstance(of, LongText) else "")
    if isinstance(of, Truth):
        # A box that is not ticked is not sent: the form says beside it that there was one.
        return None if name not in typed.sent else text == "true"
    if not text.strip():
        return "" if clearing and getattr(of, "blank", False) and name in typed.sent else None
    return _read_one(of, text)


def _named(of: ByName, name: str, typed: Typed, *, clearing: bool) -> Any:
    if of.value_field is None:
        return _tree(name, typed)
    inside = {part: _value(of.value_field, f"{name}.{part}", typed, clearing=clearing) for part in typed.below(name)}
    return {part: value for part, value in inside.items() if value is not None} or None


def _items(of: Any, name: str, typed: Typed, *, clearing: bool) -> list[Any] | None:
    inner = of.inner
    if isinstance(inner, fields.Nested):
        schema = inner.schema
        assert isinstance(schema, Body)  # noqa: S101
        rows = []
        for at in typed.below(name):
            if typed.left_out(name, at):
                continue
            row = _row_of(schema, f"{name}.{at}", typed)
            if any(value is not False for value in row.values()):
                rows.append({**_row_of(schema, f"{name}.{at}", typed.implied(f"{name}.{at}")), **row})
        return rows if rows or name in typed.sent else None
    if name not in typed.sent:
        return None
    texts = [line.strip() for text in typed.sent[name] for line in text.split("\n")]
    read = [_read_one(inner, text) for text in texts if text]
    return read if read or clearing else None


def _row_of(schema: Body, at: str, typed: Typed) -> dict[str, Any]:
    read = {part: _value(each, f"{at}.{part}", typed, clearing=False) for part, each in _sent_fields(schema)}
    return {part: value for part, value in read.items() if value is not None}


def _tree(name: str, typed: Typed) -> Any:
    """Read values whose names are told by no schema: ``counts.work.good``. None if all are empty.

    A number is one; several lines are a list of them.
    """
    below = typed.below(name)
    if below:
        inside = {part: _tree(f"{name}.{part}", typed) for part in below}
        return {part: value for part, value in inside.items() if value is not None} or None
    lines = [line.strip() for line in typed.one(name).split("\n") if line.strip()]
    if not lines:
        return None
    return lines if len(lines) > 1 else _read_one(TextOrNumber(), lines[0])


def _read_one(of: AnyField, text: str) -> Any:
    """Read a text as JSON would have it; what cannot be read stays text, and the schema says so."""
    text = text if isinstance(of, LongText) and not isinstance(of, Line) else text.strip()
    if isinstance(of, (Whole, TextOrNumber)) and text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    if isinstance(of, Moment) and "T" in text and "+" not in text and not text.endswith("Z"):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=SCHOOL_ZONE).isoformat()
        except ValueError:
            return text
    return text
