"""The schemas of the document (数据结构): those of records from marshmallow, those of other answers from their types.

Each becomes one component. Descriptions come from ``about(…)``, from ``said(…)``, or from the words of ``api/frame/words.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields
from pydantic import TypeAdapter

from api.frame.shapes import PageOf
from api.frame.words import IN_ONE, WORDS, both
from workflow.foundation.errors import Words
from workflow.foundation.fields import Body
from workflow.foundation.vocabulary import Word

Described = dict[str, Any]
"""A part of the document."""
AT = "#/components/schemas/"


def reference(name: str) -> Described:
    return {"$ref": f"{AT}{name}"}


def class_name(schema: Schema | type[Schema]) -> str:
    """The name of a marshmallow schema until the whole document is known (``naming.py``)."""
    cls = schema if isinstance(schema, type) else type(schema)
    return f"{cls.__name__}Changes" if not isinstance(schema, type) and schema.partial else cls.__name__


# ── words of the vocabulary ───────────────────────────────────────────────────────────────────────────────────────────


def listed(words: Iterable[Word]) -> str:
    """Each word with its Chinese: ``study 集中学习、talks 谈心谈话``."""
    return "、".join(f"{word.value} {word.zh}" for word in words)


def of_words(cls: type[Word]) -> Described:
    """The component of a vocabulary."""
    doc = " ".join((cls.__doc__ or "").split())
    zh = re.search(r"\(([^()]*[一-鿿][^()]*)\)", doc)
    en = re.sub(r" ?\([^()]*[一-鿿][^()]*\)", "", doc)
    return {"type": "string", "enum": [word.value for word in cls], "description": f"{zh[1] if zh else cls.__name__}：{listed(cls)} · {en}"}


VOCABULARIES = {cls.__name__: cls for cls in Word.__subclasses__()}

# ── fields of records ─────────────────────────────────────────────────────────────────────────────────────────────────


def described(label: Words, more: Words | None) -> str:
    """A label with its sentence of help, Chinese first."""
    return both(Words(f"{label.zh}：{more.zh}", f"{label.en}: {more.en}") if more else label)


def _field(_: object, field: fields.Field[object], *, ret: Described) -> Described:
    """What a field says of itself beside its type; a whole vocabulary is referred to, of a part the words are told."""
    said: Described = {}
    if "label" in field.metadata:
        said["description"] = described(field.metadata["label"], field.metadata.get("help"))
    if isinstance(field, fields.Enum) and issubclass(field.enum, Word):
        values = field.metadata["enum"]  # those that it takes: apispec would tell the whole vocabulary
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
        """Add what our fields say, once the plugin has its converter."""
        assert self.plugin.converter is not None  # noqa: S101  (apispec has made it)
        self.plugin.converter.add_attribute_function(_field)  # type: ignore[no-untyped-call]

    def of(self, answer: Any) -> Described:
        """Refer to the schema of what a route answers. A type was described before, with all others."""
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
        return next(schema for each, schema in self._typed if each == answer)

    def describe(self, answers: Iterable[Any]) -> None:
        """Describe all answers that are types, at once. Those they are made of become components too."""
        typed: list[Any] = []
        typed += (each for each in answers if not isinstance(each, Body | PageOf) and each is not None and each not in typed)
        adapters = [(number, "serialization", TypeAdapter(answer)) for number, answer in enumerate(typed)]
        made, common = TypeAdapter.json_schemas(adapters, ref_template=f"{AT}{{model}}")  # type: ignore[arg-type]
        self._typed = [(answer, made[number, "serialization"]) for number, answer in enumerate(typed)]
        self.found = {**common.get("$defs", {}), **self.found}


def tell_properties(components: dict[str, Described]) -> None:
    """Give each component and each property its words, and take away the titles that only repeat a name."""
    for name, component in components.items():
        if "description" in component:
            component["description"] = " ".join(component["description"].replace("``", "`").split())
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


def tell_of_records(components: dict[str, Described], resolver: MarshmallowPlugin) -> None:
    """Say of each schema of ours what its class says."""
    assert resolver.converter is not None  # noqa: S101  (apispec has made it)
    for key, name in resolver.converter.refs.items():
        components[name].setdefault("description", key[0].__doc__ or both(WORDS[name.lower()]))
