"""A branch at the service, and its model beside it.

Each act predicts the answer of the service, asks for it, and notes the effect in the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import Client, Reply
from tests.support.builders import NOW, a_branch, person
from tests.support.model.facts import NEEDS_APPROVAL, Person, Reason, Record
from tests.support.model.model import AS_A_WHOLE, ASKS_REASON, MISSING, OF_OFFICE, PER_SUBJECT, STAGES, WORKING, Model, targets
from tests.support.servers import YEAR, House
from workflow.appraisal import REQUIREMENTS
from workflow.foundation.database import transaction
from workflow.machine.gate import unmet
from workflow.machine.rolls import rolls_follow
from workflow.year.finding import cycle_by_year, process_of
from workflow.year.following import open_processes

JUDGES = ("office", "committee")
"""The roles that decide on what the branch handed in."""
DONE, REFUSED, NOT_NOW, NOT_FOUND, INVALID, STALE = 201, 403, 409, 404, 422, 412
BLOCKING = [each for each in REQUIREMENTS if each.blocks]


def a_new_branch(house: House, code: str, *, with_committee: bool) -> BesideModel:
    """Make a branch in the service and in the model.

    A secretary, two or three more, one of them a leading cadre, and a probationary member.
    """
    names = [f"{code}{letter}" for letter in ("smon" if not with_committee else "sckmn")]
    committee = names[:3] if with_committee else names[:1]
    *_, cadre, newcomer = names
    people = {
        name: Person(
            name,
            full=name != newcomer,
            secretary=name == names[0],
            on_committee=with_committee and name in committee,
            leads=name in committee,
            cadre=name == cadre,
        )
        for name in names
    }
    with transaction(house.engine, actor="cli") as session:
        a_branch(session, code=code, members=names, committee=committee, probationary=[newcomer])
        person(session, cadre).cadre = True
        session.flush()
        open_processes(session, cycle_by_year(session, 2024), now=NOW)
    return BesideModel(house, code, Model(people))


@dataclass
class BesideModel:
    """The service and the model.

    ``do`` is the one place that compares the answer to a request; ``agree`` compares the state.
    """

    house: House
    code: str
    model: Model
    gives: str = "qualified"
    """The level that most ratings get where one is missing."""
    looked: int = 0

    @property
    def path(self) -> str:
        return f"{YEAR}/branches/{self.code}"

    def as_(self, who: str) -> Client:
        return self.house.as_(who)

    def do(self, who: str, path: str, body: Any = None, *, expected: int, method: str = "POST", seen: str | None = None) -> Reply:
        answer = self.as_(who)(method, f"{self.path}/{path}", {} if body is None else body, seen=seen)
        assert answer.status == expected, f"{method} {path} {body} by {who}: {answer.status}, not {expected}: {answer.body}"
        return answer

    def agree(self) -> None:
        """Compare stage, round, version and missing subjects with the model.

        The subjects are those of the present stage and, in turn, of each other stage.
        """
        model = self.model
        self.looked += 1
        asked = [each for each in BLOCKING if each.stage in (model.stage, WORKING[self.looked % len(WORKING)])]
        seen = self.as_("office").get(self.path)
        assert (seen.body["stage"], seen.body["round"], seen.body["version"], seen.etag) == (
            *(model.stage, model.round, model.version),
            f'"{model.version}"',
        )
        with transaction(self.house.engine, actor=None) as session:
            rows = unmet(session, process_of(session, 2024, self.code), asked)
        told = {row.requirement.name: {subject.id: subject.amount for subject in row.open} for row in rows if row.open}
        expected = {each.name: missing for each in asked if (missing := model.open(each.name))}
        assert told == expected, f"{told} and not {expected}"

    # ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, kind: str, body: dict[str, Any], *, by: str | None = None, fault: int = 0, once: str | None = None) -> Record | None:
        """Record one.

        ``fault`` is the status of another refusal; at most one record may have the same value in
        the field ``once``.
        """
        who = by or self.model.secretary
        twice = once is not None and bool(self.model.of(kind, **{once: body[once]}))
        refused = fault if fault == INVALID else NOT_NOW if self.model.closed(kind, body.get("purpose")) or twice else fault
        answer = self.do(who, kind, body, expected=refused or DONE)
        if refused:
            return None
        row = Record(kind, body["staff_no"] if kind == "ratings" else str(answer.body["id"]), body, who)
        self.model.records.append(row)
        return row

    def hidden(self, row: Record, reader: str) -> bool:
        """Tell whether a record is hidden from this reader.

        Only its author sees a draft. Only its teller sees the first entry of a tally, but the
        office knows that there is one.
        """
        draft = row.kind == "self-reviews" and not row["submitted"] and reader not in (row["staff_no"], row.by)
        waits = row.kind == "tallies" and len(row.tellers) < 2 and reader not in (*row.tellers, "office")
        return draft or waits

    def take_back(self, row: Record, *, office: bool) -> None:
        """Let the branch withdraw it, or the office reject it.

        Of several ratings of a member, the valid one is meant, or else the latest.
        """
        who, verb = ("office", "reject") if office else (self.model.secretary, "withdraw")
        row = self.latest(row)
        closed = self.model.stage == "accepted" if office else self.model.closed(row.kind, row["purpose"])
        expected = NOT_FOUND if self.hidden(row, who) else NOT_NOW if closed or not row.stands else 200
        self.do(who, f"{row.kind}/{row.key}/{verb}", {"reason": "材料不实"}, expected=expected)
        row.stands = row.stands and expected != 200

    def latest(self, row: Record) -> Record:
        same = [each for each in self.model.records if each.kind == row.kind and each.key == row.key]
        return next((each for each in same if each.stands), same[-1])

    def study(self, present: Sequence[str], titles: Sequence[str], *, day: str, exchange: bool = True) -> None:
        body = {"held_on": day, "titles": list(titles), "present": list(present), "exchange": "交流体会" if exchange else None}
        self.record("study-sessions", body)

    def make_up(self, row: Record, who: str) -> None:
        refused = not row.stands or who in row["present"] or who in row.made_up
        self.do(
            self.model.secretary, f"study-sessions/{row.key}/make-ups", {"staff_no": who, "on": "2024-12-19"}, expected=NOT_NOW if refused else DONE
        )
        row.made_up |= set() if refused else {who}

    def talk(self, talker: str, partner: str, *, focus: bool = False) -> None:
        body = {"held_on": "2024-12-17", "talker": talker, "partner": partner, "focus": focus, "focus_reason": "新到支部" if focus else None}
        self.record("talks", body)

    def self_review(self, who: str, *, submitted: bool = True, by_secretary: bool = False) -> None:
        gone = self.model.people[who].left
        by = self.model.secretary if by_secretary or self.model.people[who].gone else who
        self.record(
            "self-reviews",
            {"staff_no": who, "aspects": {"A1": f"{who} 的自评"}, "submitted": submitted},
            by=by,
            fault=INVALID if gone else 0,
            once="staff_no",
        )

    def meeting(self, purpose: str, form: str, present: Sequence[str], *, day: str, recorder: str, **fields: Any) -> Record | None:
        people = self.model.people
        body: dict[str, Any] = {"purpose": purpose, "form": form, "held_on": day, "present": list(present)}
        body |= {"chair": self.model.secretary, "recorder": recorder}
        body |= {"place": "会议室", "minutes": "逐项进行", **fields}
        early = purpose == "life" and not any(study["held_on"] <= day for study in self.model.studies())
        early |= purpose == "deciding" and any(row["held_on"] > day for row in self.model.meetings("life"))
        may = [who for who in present if people[who].full and (form != "committee" or people[who].leads)]
        too_many = bool(body.get("vote")) and bool(present) and body["vote"]["yes"] > len(may)
        return self.record("meetings", body, fault=INVALID if early or too_many else 0)

    def confirm(self, row: Record, who: str) -> None:
        refused = not row.stands or self.model.closed("meetings", row["purpose"]) or who in row.confirmed
        self.do(who, f"meetings/{row.key}/confirm", expected=NOT_NOW if refused else 200)
        row.confirmed |= set() if refused else {who}

    def ballot(self, subject: str, favoured: str | None = None) -> dict[str, Any]:
        """Make the result of a ballot today.

        All vote 合格 for each, except for a ``favoured`` member, who gets 优秀 from all.
        """
        voters = [each.staff_no for each in self.model.voters()]
        body = {"subject": subject, **dict.fromkeys(("issued", "returned", "valid"), len(voters)), "void": 0}
        if subject == "committee":
            return {**body, "counts": {item: {"good": len(voters)} for item in ("work", "style", "overall")}}
        return {**body, "counts": {who: {"excellent" if who == favoured else "qualified": len(voters) - 1, "abstain": 1} for who in voters}}

    def count(self, teller: str, body: dict[str, Any]) -> None:
        """Enter a teller's count.

        The first entry waits, an equal second one makes it count, and every other entry is refused.
        """
        who = self.model.people[teller]
        waiting = next(iter(self.model.of("tallies", subject=body["subject"])), None)
        second = waiting is not None and len(waiting.tellers) == 1 and teller not in waiting.tellers and waiting.body == body
        barred = not who.full or who.left or (who.secretary and sum(each.full and not each.left for each in self.model.people.values()) > 2)
        refused = REFUSED if barred else NOT_NOW if self.model.closed("tallies") or (waiting and not second) else 0
        answer = self.do(teller, "tallies", body, expected=refused or DONE)
        if refused:
            return
        if waiting is None:
            waiting = Record("tallies", str(answer.body["id"]), body, teller)
            self.model.records.append(waiting)
        waiting.tellers.append(teller)

    def rate(self, who: str, **fields: Any) -> None:
        person = self.model.people[who]
        body = {"staff_no": who, **{name: value for name, value in fields.items() if value}}
        barred = "level" in body and (not person.full or person.excused == "confirmed" or "not_rated_reason" in body)
        ballot = self.model.counted("members")
        late = ballot is None or ("level" in body and who not in ballot.body["counts"])
        self.record("ratings", body, fault=INVALID if barred or not person.counted else NOT_NOW if late else 0, once="staff_no")

    def tell(self, who: str) -> None:
        rows = [row for row in self.model.records if row.kind == "ratings" and row.key == who]
        row = self.latest(rows[0]) if rows else None
        refused = row is None or not row.stands or not (row["level"] or row["not_rated_reason"]) or self.model.closed("ratings")
        self.do(
            self.model.secretary,
            f"ratings/{who}/feedback",
            {"given_on": "2024-12-20", "way": "face"},
            expected=NOT_FOUND if row is None else NOT_NOW if refused else 200,
        )
        if row is not None and not refused:
            row.told = True

    def of_member(self, kind: str, who: str, **fields: Any) -> None:
        """Record a help plan or a disposition case."""
        self.record(kind, {"staff_no": who, **fields}, fault=INVALID if self.model.people[who].left else 0, once="staff_no")

    def help_plan(self, who: str, *, whole: bool = True) -> None:
        fault = who == self.model.secretary
        body = {"staff_no": who, "helper": self.model.secretary, "review_on": "2025-03-31", "first_step": "每月谈心一次" if whole else None}
        self.record("help-plans", body, fault=INVALID if fault or self.model.people[who].left else 0, once="staff_no")

    def case(self, who: str, *, facts: bool = True) -> None:
        self.of_member("disposition-cases", who, signs=[1], proposed_on="2024-12-19", facts="两次无故不参加" if facts else None)

    def problem(self) -> Record | None:
        return self.record("problems", {"source": "meeting", "about": "committee", "text": "质量不高"})

    def measure(self, problems: Sequence[Record | None], owner: str, *, day: bool = True) -> None:
        those = [row for row in problems if row is not None]
        body = {"problems": [int(row.key) for row in those], "text": "完善制度", "owner": owner, "due_on": "2025-06-30" if day else None}
        self.record("measures", body, fault=0 if all(row.stands for row in those) else INVALID)

    def commitment(self, who: str, *, problem: Record | str | None = "学习不够", day: bool = True) -> None:
        named = int(problem.key) if isinstance(problem, Record) else problem
        body = {"staff_no": who, "problem": named, "text": "每周自学", "due_on": "2025-06-30" if day else None}
        fault = INVALID if isinstance(problem, Record) and not problem.stands else 0
        self.record("commitments", body, by=self.model.secretary if self.model.people[who].gone else who, fault=fault)

    def write_form(self, **fields: str) -> None:
        refused = self.model.closed("form")
        seen = self.as_(self.model.secretary).get(f"{self.path}/form").etag
        self.do(self.model.secretary, "form", fields, method="PATCH", seen=seen, expected=NOT_NOW if refused else 200)
        self.model.form |= {} if refused else fields

    # ── reasons, people, moves ────────────────────────────────────────────────────────────────────────────────────────

    def waive(self, requirement: str, subjects: Sequence[str] | None) -> None:
        """Give a reason; it covers the amounts of this moment."""
        model, open_ = self.model, self.model.open(requirement)
        wanted = list(open_) if subjects is None else list(subjects)
        if requirement not in (*PER_SUBJECT, *AS_A_WHOLE) or (requirement in PER_SUBJECT and subjects is None):
            expected = INVALID
        elif STAGES.index(model.stage) > STAGES.index(MISSING[requirement][0]) or not open_:
            expected = NOT_NOW
        else:
            expected = DONE if set(wanted) <= open_.keys() else INVALID
        body = {"requirement": requirement, "reason": "出国访学", **({} if subjects is None else {"subjects": wanted})}
        answer = self.do(model.secretary, "waivers", body, expected=expected)
        if expected == DONE:
            assert answer.body["amount"] == sum(open_[subject] for subject in set(wanted))
            model.reasons.append(Reason(str(answer.body["id"]), requirement, {subject: open_[subject] for subject in wanted}))

    def decide(self, reason: Reason, verb: str) -> None:
        """Let the office approve or reject a reason, or the branch take it back."""
        approving = verb == "approve"
        left = STAGES.index(self.model.stage) > STAGES.index(MISSING[reason.requirement][0])
        closed = left if verb == "withdraw" else self.model.stage == "accepted"
        refused = closed or not reason.stands or (approving and (reason.requirement != NEEDS_APPROVAL or reason.approved))
        who = self.model.secretary if verb == "withdraw" else "office"
        body = {} if approving else {"reason": "理由不充分"}
        self.do(who, f"waivers/{reason.key}/{verb}", body, expected=NOT_NOW if refused else 200)
        if not refused:
            reason.approved, reason.stands = reason.approved or approving, approving

    def excuse(self, who: str, verb: str) -> None:
        """Let the branch excuse a member or take it back, or the office confirm it."""
        person, filed = self.model.people[who], self.model.stage not in WORKING
        if verb == "ask":
            refused = person.left or filed
            seen = self.as_("office").get(f"{self.path}/roll/{who}").etag
            body, expected = {"excused_reason": "长期病休"}, NOT_NOW if refused else 200
            self.do(self.model.secretary, f"roll/{who}", body, method="PATCH", seen=seen, expected=expected)
        else:
            refused = filed or not person.excused
            self.do("office" if verb == "confirm" else self.model.secretary, f"roll/{who}/{verb}", expected=NOT_NOW if refused else 200)
        if not refused:
            person.excused = {"ask": "asked", "confirm": "confirmed", "withdraw": ""}[verb]

    def leave(self, who: str) -> None:
        """Transfer a member out; a filed roll follows only after a return."""
        with transaction(self.house.engine, actor="cli") as session:
            process = process_of(session, 2024, self.code)
            person(session, who).branch_id = None
            session.flush()
            rolls_follow(session, now=NOW, branches=[process.branch_id])
        self.model.people[who].gone = True
        self.model.roll_follows()

    def move(self, who: str, role: str, trigger: str, *, to: str | None = None, reason: bool = True, stale: bool = False) -> None:
        """Make a move as a person with or without the right to it."""
        model = self.model
        body = {"trigger": trigger, **({"to": to} if to else {}), **({"reason": "谈话记录不完整"} if reason else {})}
        expected = self._moving(role, trigger, to, reason=reason, stale=stale)
        answer = self.do(who, "moves", body, seen=f'"{model.version - stale}"', expected=expected)
        if expected == DONE:
            [source, [target, *_]] = model.stage, [each for each in targets(trigger, model.stage) if to in (None, each)]
            model.stage, model.version, model.round = target, model.version + 1, model.round + (trigger in ("return", "reopen"))
            if source not in WORKING:
                model.roll_follows()
            assert (answer.body["from"], answer.body["stage"], answer.body["version"]) == (source, target, model.version)
        elif "unmet" in (answer.body or {}):
            told = {each["requirement"]: {subject["id"] for subject in each["subjects"]} for each in answer.body["unmet"]}
            assert told == model.blocks(), f"{told} and not {model.blocks()}"

    def _moving(self, role: str, trigger: str, to: str | None, *, reason: bool, stale: bool) -> int:
        """Predict the status of a move; the checks have the order of the service."""
        model = self.model
        here, anywhere = targets(trigger, model.stage), {each for stage in STAGES for each in targets(trigger, stage)}
        if role not in (*JUDGES, "secretary"):
            return NOT_FOUND if role == "stranger" else REFUSED
        if (to is not None and to not in anywhere) or (to is None and len(here) > 1) or (trigger in ASKS_REASON and not reason):
            return INVALID
        if (role in JUDGES) != (trigger in OF_OFFICE):
            return REFUSED
        if stale:
            return STALE
        meant = [each for each in here if to in (None, each)]
        return DONE if meant and not (trigger in ("advance", "file") and model.blocks()) else NOT_NOW

    def next_agrees(self) -> None:
        """Compare the next moves of office and secretary with those of the model."""
        model = self.model
        triggers = ("advance", "file", *OF_OFFICE, "step_back", "withdraw")
        declared: Mapping[tuple[str, str], bool] = {
            (trigger, to): trigger in OF_OFFICE for trigger in triggers for to in targets(trigger, model.stage)
        }
        for who, office in (*((who, True) for who in JUDGES), (model.secretary, False)):
            items = self.as_(who).get(f"{self.path}/next").body["items"]
            blocked = {(trigger, to) for trigger, to in declared if trigger in ("advance", "file") and model.blocks()}
            assert {(item["trigger"], item["to"]): item["allowed"] for item in items} == {
                each: of_office == office and each not in blocked for each, of_office in declared.items()
            }
