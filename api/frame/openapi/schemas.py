"""The schemas of the document (数据结构): records from marshmallow, other answers from their types.

Each becomes one component. Descriptions come from ``about(…)``, from ``said(…)``, or from the words
of ``api/frame/words.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields
from pydantic import TypeAdapter

from api.frame.routes import Route
from api.frame.shapes import PageOf, WholeOf
from api.frame.words import both
from api.frame.words.in_one import IN_ONE
from api.frame.words.of_fields import WORDS
from workflow.foundation.errors import Words
from workflow.foundation.fields import Body
from workflow.foundation.vocabulary import Word

Described = dict[str, Any]
"""A part of the document."""
AT = "#/components/schemas/"


def reference(name: str) -> Described:
    return {"$ref": f"{AT}{name}"}


def class_name(schema: Schema | type[Schema]) -> str:
    """Name a marshmallow schema until the whole document is known (``naming.py``)."""
    cls = schema if isinstance(schema, type) else type(schema)
    return f"{cls.__name__}Changes" if not isinstance(schema, type) and schema.partial is True else cls.__name__


# ── words of the vocabulary ───────────────────────────────────────────────────────────────────────────────────────────


def listed(words: Iterable[Word]) -> str:
    """List each word with its Chinese: ``study 集中学习、talks 谈心谈话``."""
    return "、".join(f"{word.value} {word.zh}" for word in words)


def both_of(doc: str, zh: str = "") -> str:
    """Turn a docstring into a description.

    Its term in brackets comes first, or ``zh`` where it has none.
    """
    text = " ".join(doc.replace("``", "`").split())
    if found := BRACKETS.search(text):
        return both(Words(zh or found[1], BRACKETS.sub("", text)))
    if found := re.match(r"([^\x00-\x7f]+)[:;.] ?(.+)", text):  # 按时报送: until when …
        return both(Words(found[1], found[2]))
    return both(Words(zh, text)) if zh else text


BRACKETS = re.compile(r" ?\(([^()]*[一-鿿][^()]*)\)")


def of_words(cls: type[Word]) -> Described:
    """Describe the component of a vocabulary."""
    zh, _, en = both_of(cls.__doc__ or "").partition(" · ")
    return {"type": "string", "enum": [word.value for word in cls], "description": both(Words(f"{zh}：{listed(cls)}", en))}


VOCABULARIES = {cls.__name__: cls for cls in Word.__subclasses__()}

# ── fields of records ─────────────────────────────────────────────────────────────────────────────────────────────────


def described(label: Words, more: Words | None) -> str:
    """Join a label with its sentence of help, Chinese first."""
    return both(Words(f"{label.zh}：{more.zh}", f"{label.en}: {more.en}") if more else label)


def _field(_: object, field: fields.Field[object], *, ret: Described) -> Described:
    """Describe a field beyond its type, from its own metadata.

    A field that takes a whole vocabulary refers to it; one that takes a part lists the words.
    """
    said: Described = {}
    if "label" in field.metadata:
        said["description"] = described(field.metadata["label"], field.metadata.get("help"))
    if isinstance(field, fields.Enum) and issubclass(field.enum, Word):
        # The words that it takes: apispec would list the whole vocabulary.
        values = field.metadata["enum"]
        some = [field.enum(value) for value in values if value is not None]
        if len(some) < len(field.enum):
            return {**said, "enum": values, "description": f"{said['description']}（{listed(some)}）"}
        ret.pop("enum")
        said |= {"anyOf": [reference(field.enum.__name__), {"type": "null"}]} if None in values else reference(field.enum.__name__)
    return said


# ── all of them ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Schemas:
    """The schemas of a document while it is made."""

    def __init__(self) -> None:
        self.plugin = MarshmallowPlugin(schema_name_resolver=class_name)
        self.found: dict[str, Described] = {name: of_words(cls) for name, cls in VOCABULARIES.items()}
        self._typed: list[tuple[Any, Described]] = []

    def begin(self) -> None:
        """Add the descriptions of our fields, once the plugin has its converter."""
        assert self.plugin.converter is not None  # noqa: S101  (apispec has made it)
        self.plugin.converter.add_attribute_function(_field)  # type: ignore[no-untyped-call]

    def of(self, answer: Any) -> Described:
        """Refer to the schema of a route's answer.

        Types were described before, all at once.
        """
        if isinstance(answer, Body):
            found: Described = self.plugin.resolver.resolve_schema_dict(answer)  # type: ignore[union-attr]
            return found
        if isinstance(answer, PageOf):
            name = f"{class_name(answer.schema).removesuffix('Changes').removesuffix('Schema')}Page"
            self.found[name] = {
                "type": "object",
                "description": both(Words("一页记录", "a page of records")),
                "required": ["items", "next"],
                "properties": {"items": {"type": "array", "items": self.of(answer.schema)}, "next": {"type": ["string", "null"]}},
            }
            return reference(name)
        if isinstance(answer, WholeOf):
            name = f"{class_name(answer.schema).removesuffix('Schema')}Items"
            self.found[name] = {
                "type": "object",
                "description": both(Words("全部记录", "all of the records")),
                "required": ["items"],
                "properties": {"items": {"type": "array", "items": self.of(answer.schema)}},
            }
            return reference(name)
        return next(schema for each, schema in self._typed if each == answer)

    def describe(self, answers: Iterable[Any]) -> None:
        """Describe all answers that are types, at once.

        The types that they are made of become components too.
        """
        typed: list[Any] = []
        typed += (each for each in answers if not isinstance(each, Body | PageOf | WholeOf) and each is not None and each not in typed)
        adapters = [(number, "serialization", TypeAdapter(answer)) for number, answer in enumerate(typed)]
        made, common = TypeAdapter.json_schemas(adapters, ref_template=f"{AT}{{model}}")  # type: ignore[arg-type]
        self._typed = [(answer, made[number, "serialization"]) for number, answer in enumerate(typed)]
        self.found = {**common.get("$defs", {}), **self.found}


def tell_components(components: dict[str, Described]) -> None:
    """Give each component and each property its words.

    Titles that only repeat a name are removed.
    """
    for name, component in components.items():
        said = component.get("description", "")
        component["description"] = both(IN_ONE[name]) if name in IN_ONE else said if " · " in said else both_of(said)
        _tell(component, name)


def _tell(part: object, component: str) -> None:
    if isinstance(part, dict):
        if part.get("type") == "object" and isinstance(part.get("properties"), dict):
            part.pop("title", None)
            for name, each in part["properties"].items():
                each.pop("title", None)
                words = IN_ONE.get(f"{component}.{name}") or WORDS.get(name)
                if words and "description" not in each:
                    each["description"] = both(words)
        for each in part.values():
            _tell(each, component)
    elif isinstance(part, list):
        for each in part:
            _tell(each, component)


def tell_of_records(components: dict[str, Described], plugin: MarshmallowPlugin, called: Mapping[type[Schema], str]) -> None:
    """Describe each schema of ours by its docstring and its Chinese name in the routes."""
    assert plugin.converter is not None  # noqa: S101  (apispec has made it)
    for key, name in plugin.converter.refs.items():
        cls = key[0]
        components[name].setdefault("description", both_of(cls.__doc__ or "", called.get(cls, "")) if cls.__doc__ else both(WORDS[name.lower()]))


def chinese_names(routes: Iterable[Route]) -> dict[type[Schema], str]:
    """Find the Chinese names of schemas.

    The name comes from the field that holds the schema, from the noun of the answer, or from the
    act whose body it is.
    """
    found: dict[type[Schema], str] = {}
    for route in routes:
        shown = route.answers.schema if isinstance(route.answers, PageOf | WholeOf) else route.answers
        for schema, zh in ((shown, route.tag.zh if route.tag else ""), (route.body, route.zh)):
            if isinstance(schema, Body):
                found.setdefault(type(schema), zh)
                _inside(schema, found)
    return found


def _inside(schema: Schema, found: dict[type[Schema], str]) -> None:
    for field in schema.fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            found[type(inner.schema)] = field.metadata["label"].zh
            _inside(inner.schema, found)
