"""Changes as sentences (历史的句子): who did what to whom, from the rows of the history.

The words are those of the records' schemas. What has limited readers is not told: the API's history
leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from api.pages.branch.place import BranchPlace
from workflow.appraisal import KIND
from workflow.foundation.vocabulary import MeetingPurpose, Stage, TallySubject, Trigger

BY_COLUMN = {
    "withdrawn_at": "撤回了",
    "rejected_at": "退回了",
    "counted_at": "复核了",
    "chair_confirmed_at": "作为主持人确认了",
    "recorder_confirmed_at": "作为记录人确认了",
    "acknowledged_at": "确认已知悉",
    "feedback_on": "反馈了",
    "received_at": "回执了",
    "approved_at": "批准了",
    "excused_confirmed_by": "确认不参加：",
    "excused_refused_by": "没有接受不参加的理由：",
    "done_on": "办成了",
    "left_on": "登记离开：",
}
"""The columns whose new value tells what was done, the most telling first."""
OTHERS = {
    "participant": "名册",
    "waiver": "理由",
    "extension": "延期",
    "form": "情况表",
    "study_make_up": "补学",
    "talk_follow_up": "谈话后的帮助",
    "measure_progress": "整改进展",
    "measure_comment": "对措施的意见",
    "commitment_progress": "承诺兑现情况",
    "help_plan_review": "帮扶回访",
    "disposition_step": "处置步骤",
}
"""The tables besides the records that a sentence is made of; parts of records are told by none."""
OF_THE_ROW = frozenset({"version", "changed_at", "level_set_at", "recorded_at", "recorded_by", "state"})
TOGETHER = timedelta(seconds=90)
"""The time within which the same act on several people is one sentence."""
NAMES_TOLD = 6


@dataclass(frozen=True)
class Sentence:
    """One thing that somebody did (一句话), or the same one on several people."""

    at: datetime
    who: str
    verb: str
    objects: Sequence[str]
    more: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """The sentence without its time and its doer."""
        told = "、".join(self.objects[:NAMES_TOLD]) + (f"等 {len(self.objects)} 项" if len(self.objects) > NAMES_TOLD else "")
        return self.verb + (("" if self.verb.endswith("：") else "：") + told if told else "") + (f"（{self.more}）" if self.more else "")


@cache
def _records() -> Mapping[str, Any]:
    """Return the records of a branch by their tables."""
    return {records.model.__tablename__: records for records in KIND.records}


class Writer:
    """Writes the history of a branch as sentences; a record is looked up once, where it must be."""

    def __init__(self, place: BranchPlace) -> None:
        self.place = place
        self._found: dict[str, dict[str, Any]] = {}
        self._made: dict[tuple[str, str], Mapping[str, Any]] = {}

    def sentences(self, rows: Sequence[Mapping[str, Any]], most: int | None = None) -> list[Sentence]:
        """Write the rows, the newest first; neighbours that say the same become one sentence.

        With ``most`` it stops after so many: what nobody reads is not looked up.
        """
        told: list[Sentence] = []
        self._made = {(row["what"], row["key"]): row["new"] for row in rows if row["new"] and not row["old"]}
        for row in rows:
            if most is not None and len(told) > most:
                break
            made = self._sentence(row)
            if made is None:
                continue
            last = told[-1] if told else None
            if last and _alike(last, made):
                told[-1] = replace(last, objects=[*made.objects, *last.objects], at=made.at)
            else:
                told.append(made)
        return told if most is None else told[:most]

    def _sentence(self, row: Mapping[str, Any]) -> Sentence | None:
        what, old, new = row["what"], row["old"] or {}, row["new"] or {}
        write: Callable[..., tuple[str, str, str]] | None = _move if what == "stage_change" else self._change if what in _nouns() else None
        if write is None or (what == "participant" and not old):
            return None
        verb, about, more = write(row, old, new)
        reason = row["reason"] or new.get("reason") or next((new[name] for name in ("withdrawn_reason", "rejected_reason") if new.get(name)), "")
        return Sentence(row["at"], self._doer(row), verb, [about] if about else [], more, str(reason or ""))

    def _doer(self, row: Mapping[str, Any]) -> str:
        by, whom = row["by"], row["on_behalf_of"]
        name = self.place.names.get(by) or ("系统" if by in ("cli", "worker", "system") else f"上级 {by}")
        return f"{name}（代{self.place.names.get(whom, whom)}）" if whom else name

    def _change(self, row: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, str, str]:
        """Tell a change of a record: the verb, whom it is about, which fields."""
        what, noun = row["what"], _nouns()[row["what"]]
        if not old:
            return f"登记了{noun}" if what != "waiver" else "说明了情况", self._about(what, new), ""
        if not new:
            return f"删去了{noun}", self._about(what, old), ""
        of = self._record(what, row["key"])
        about = self._about(what, {**of, **new})
        column = next((name for name in BY_COLUMN if new.get(name) is not None), None)
        if column is not None:
            verb = BY_COLUMN[column]
            return (verb if verb.endswith("：") else f"{verb}{noun}"), about, ""
        fields = [label for name in new if name not in OF_THE_ROW and (label := _label(what, name))]
        return f"更正了{noun}", about, "、".join(fields)

    def _record(self, what: str, key: str) -> Mapping[str, Any]:
        """Return the record that was changed, as the API shows it now."""
        if what == "participant":
            return {"staff_no": next((row["staff_no"] for row in self.place.roll if key.endswith(f":{row['staff_no']}")), "")}
        if (what, key) in self._made:
            return self._made[what, key]
        records = _records().get(what)
        if records is None:
            return {}
        if what not in self._found:
            self._found[what] = {str(each["id"]): each for each in self.place.items(records.name)}
        found: Mapping[str, Any] = self._found[what].get(key, {})
        return found

    def _about(self, what: str, of: Mapping[str, Any]) -> str:
        """Name what a record is about: its people, its kind and day, its words."""
        name = self.place.names.get
        if of.get("talker") and of.get("partner"):
            return f"{name(of['talker'], of['talker'])}—{name(of['partner'], of['partner'])}"
        if of.get("staff_no"):
            return str(name(of["staff_no"], of["staff_no"]))
        if what == "meeting" and of.get("purpose"):
            return f"{MeetingPurpose(of['purpose']).zh}（{of.get('held_on', '')}）"
        if what == "tally" and of.get("subject"):
            return TallySubject(of["subject"]).zh
        if what == "study_session":
            return "".join(f"《{title}》" for title in of.get("titles") or ())
        words = next((str(of[each]) for each in ("text", "what", "place", "sent_to", "to", "evidence") if isinstance(of.get(each), str)), "")
        return "" if words == "changed" else words if len(words) <= 24 else words[:23] + "…"


def _move(row: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, str, str]:
    trigger, to = Trigger(new["trigger"]), Stage(new["target"])
    if trigger is Trigger.ADVANCE:
        return f"进入“{to.zh}”", "", ""
    return trigger.zh, f"回到“{to.zh}”" if trigger in (Trigger.STEP_BACK, Trigger.RETURN, Trigger.REOPEN) else "", "逾期" if new.get("late") else ""


@cache
def _nouns() -> Mapping[str, str]:
    return {**{table: records.zh for table, records in _records().items()}, **OTHERS}


def _label(what: str, column: str) -> str:
    """Return the label of a column, from the schema of its record; empty where none tells it."""
    records = _records().get(what)
    if records is None:
        return ""
    for name, field in records.schema.fields.items():
        if (field.attribute or name) == column and "label" in field.metadata:
            return str(field.metadata["label"].zh)
    return ""


def _alike(later: Sentence, earlier: Sentence) -> bool:
    same = (later.who, later.verb, later.more, later.reason) == (earlier.who, earlier.verb, earlier.more, earlier.reason)
    return same and bool(later.objects) and abs(later.at - earlier.at) < TOGETHER
