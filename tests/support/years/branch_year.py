"""One branch's whole year over HTTP: a short act for each stage.

Each act is done by the person who does it in a branch, signed in as themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from io import BytesIO
from itertools import combinations
from typing import Any

from api import create_app
from tests.api.conftest import Client, Clock, Reply
from tests.support.builders import DEADLINES, an_office
from tests.support.rosters import a_workbook
from tests.support.running.postgres import a_clone
from tests.support.servers import YEAR, House, settings_of_tests
from tests.support.workbooks import Row
from workflow.foundation.database import engine_for, transaction

STUDIED_ON, TALKED_ON, MET_ON, DECIDED_ON, TODAY = "2024-12-16", "2024-12-17", "2024-12-18", "2024-12-19", "2024-12-20"
CRITICISM = {"matter": "主题党日两次迟到", "shown": "作为支委没有带头遵守时间", "improve": "今后提前十分钟到会"}
Line = dict[str, Any]


def ok(answer: Reply, status: int = 201) -> Any:
    """Check the status and give the body."""
    assert answer.status == status, answer.body
    return answer.body


# ── the school ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def an_empty_house(superuser: str, template: str, **settings: Any) -> Iterator[House]:
    """Run a service whose school has its office and nothing else."""
    with a_clone(superuser, template) as url:
        engine = engine_for(url)
        with transaction(engine, actor="cli") as session:
            an_office(session)
        clock = Clock()
        yield House(engine, create_app(engine, settings_of_tests(**settings), clock=clock), clock)
        engine.dispose()


def import_roster(office: Client, members: Sequence[Row], committee: Sequence[Row]) -> Any:
    """Upload a workbook and apply it; give its changes."""
    content, headers = BytesIO(a_workbook(members, committee)), {"Authorization": f"Bearer {office.token}"}
    answer = office.http.post("/api/v1/roster-imports", data={"file": (content, "名册.xlsx")}, headers=headers)
    assert answer.status_code == 201, answer.get_json()
    read = answer.get_json()
    assert read["applicable"], read["problems"]
    return ok(office.post(f"/roster-imports/{read['id']}/apply"), 200)["changed"]


def open_year(office: Client, plan: str = "2024", later: timedelta = timedelta(0)) -> None:
    """Let the office open a year with the days of the tests, or with later ones, and publish it."""
    ok(office.post("/cycles", {"plan": plan, "deadlines": {stage.value: (day + later).isoformat() for stage, day in DEADLINES.items()}}))
    ok(office.post(f"/cycles/{plan}/publish"), 200)


def every(client: Client, path: str) -> list[Any]:
    """Read a whole list, page by page."""
    items, after = [], ""
    while True:
        page = ok(client.get(f"{path}{'&' if '?' in path else '?'}limit=200{after}"), 200)
        items += page["items"]
        if page["next"] is None:
            return items
        after = f"&after={page['next']}"


# ── one branch ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class BranchYear:
    """A branch in a year, and its way through it.

    ``levels`` are its ratings by 学工号; members without one are 合格. Each day of its records is
    ``later`` than the one that is written here.
    """

    house: House
    code: str
    levels: Mapping[str, str]
    year: str = YEAR
    later: timedelta = timedelta(0)

    @property
    def path(self) -> str:
        return f"{self.year}/branches/{self.code}"

    def on(self, day: str) -> str:
        return (date.fromisoformat(day) + self.later).isoformat()

    @cached_property
    def rules(self) -> Any:
        """The rules of the year's plan."""
        return ok(self.office.get(self.year), 200)["rules"]

    @property
    def aspects(self) -> list[str]:
        return [each["id"] for each in self.rules["aspects"]]

    @property
    def office(self) -> Client:
        return self.house.as_("office")

    @cached_property
    def secretary(self) -> Client:
        return self.house.as_(self.holder("secretary"))

    def holder(self, post: str) -> str:
        """Find the 学工号 of the holder of a post."""
        return next(str(row["staff_no"]) for row in self.roll() if row["post"] == post)

    def roll(self) -> list[Line]:
        """List the people on the roll who have not left."""
        return [row for row in every(self.office, f"{self.path}/roll") if row["left_on"] is None]

    def numbers(self, which: Callable[[Line], Any] = lambda row: True) -> list[str]:
        return [row["staff_no"] for row in self.roll() if which(row)]

    def record(self, what: str, body: Mapping[str, Any], *, by: str | None = None) -> Any:
        """Record one, by the secretary unless ``by`` names another."""
        return ok((self.house.as_(by) if by else self.secretary).post(f"{self.path}/{what}", body))

    def amend(self, what: str, record: Mapping[str, Any], changes: Mapping[str, Any], *, by: str | None = None) -> Any:
        client, path = self.house.as_(by) if by else self.secretary, f"{self.path}/{what}/{record['id']}"
        return ok(client.patch(path, changes, seen=client.get(path).etag), 200)

    def waive(self, requirement: str, *subjects: str) -> Any:
        return self.record("waivers", {"requirement": requirement, "reason": "长期在国外访学", **({"subjects": list(subjects)} if subjects else {})})

    def move(self, trigger: str, *, by: str | None = None, **body: Any) -> Reply:
        """Read, then move with the version that was read, as a client does."""
        client = self.house.as_(by) if by else self.secretary
        return client.post(f"{self.path}/moves", {"trigger": trigger, **body}, seen=client.get(self.path).etag)

    def goes_on(self) -> str:
        """Leave the present stage; give the next."""
        return str(ok(self.move("file" if self.stage == "report" else "advance"))["stage"])

    @property
    def stage(self) -> str:
        return str(ok(self.office.get(self.path), 200)["stage"])

    def on_roll(self, staff_no: str, changes: Mapping[str, Any], *, by: Client | None = None) -> None:
        """Decide about one person on the roll, by the office or by another."""
        client, path = by or self.office, f"{self.path}/roll/{staff_no}"
        ok(client.patch(path, changes, seen=client.get(path).etag), 200)

    def excuse(self, staff_no: str) -> None:
        """Let the branch excuse a member, and the office confirm it."""
        self.on_roll(staff_no, {"excused_reason": "长期病休"}, by=self.secretary)
        ok(self.office.post(f"{self.path}/roll/{staff_no}/confirm"), 200)

    # ── study and talks ───────────────────────────────────────────────────────────────────────────────────────────────

    def study(self, *, without: Collection[str] = (), titles: Sequence[str] | None = None, exchange: str | None = "逐条交流了体会") -> Any:
        present = self.numbers(lambda row: row["staff_no"] not in without and row["excused_confirmed_by"] is None)
        read = list(self.rules["required_reading"] if titles is None else titles)
        body = {"held_on": self.on(STUDIED_ON), "form": "领学", "titles": read, "present": present, "exchange": exchange}
        return self.record("study-sessions", body)

    def make_up(self, study: Mapping[str, Any], staff_no: str) -> None:
        self.record(f"study-sessions/{study['id']}/make-ups", {"staff_no": staff_no, "on": self.on(TALKED_ON), "how": "自学"})

    def talk(self, talker: str, partner: str, *, focus: bool = False) -> None:
        body = {"held_on": self.on(TALKED_ON), "talker": talker, "partner": partner, "opinions_branch": "多开展主题党日", "affirmed": "教学认真"}
        self.record("talks", {**body, **({"focus": True, "focus_reason": "新到支部"} if focus else {})}, by=talker)

    def talks(self, *, without: Collection[str] = (), focus: bool = True) -> None:
        """Record talks of each pair of leaders, and of each other member with one of them.

        ``without`` names a member or a pair ``a:b`` that does not talk.
        """
        leaders, others = self.numbers(lambda row: row["leads"]), self.numbers(lambda row: not row["leads"])
        secretary = self.holder("secretary")
        pairs = [(one, other) for one, other in combinations(leaders, 2) if ":".join(sorted((one, other))) not in without]
        each_with_each = self.rules["coverage"] == "strict"
        pairs += [
            (leader, other)
            for number, other in enumerate(others)
            for leader in (leaders if each_with_each else [leaders[number % len(leaders)]])
            if other not in without and ":".join(sorted((leader, other))) not in without
        ]
        for talker, partner in pairs:
            self.talk(talker, partner, focus=focus and talker == secretary)

    # ── self-review ───────────────────────────────────────────────────────────────────────────────────────────────────

    def self_review(self, staff_no: str, *, rated: bool = True) -> None:
        aspects = {aspect: f"{staff_no} 对照{aspect}检查：有进步，也有不足" for aspect in self.aspects}
        body = {"staff_no": staff_no, "aspects": aspects, "submitted": True, **({"level": "qualified"} if rated else {})}
        self.record("self-reviews", body, by=staff_no)

    def self_reviews(self, *, without: Collection[str] = ()) -> None:
        for row in self.roll():
            if row["excused_confirmed_by"] is None and row["staff_no"] not in without:
                self.self_review(row["staff_no"], rated=row["standing"] == "full")

    def meeting(self, purpose: str, form: str = "general", *, present: Sequence[str] | None = None, confirmed: bool = True, **fields: Any) -> Any:
        """Record a meeting with complete minutes.

        It is of the members, of the committee and the cadres, or of those in ``present``.
        """
        in_committee = form == "committee"
        due = self.numbers(lambda row: row["excused_confirmed_by"] is None and (not in_committee or row["on_committee"] or row["cadre"]))
        there, chair = sorted(due if present is None else present), self.holder("secretary")
        chair = chair if chair in there else there[0]
        body = {
            "purpose": purpose,
            "form": form,
            "held_on": self.on(DECIDED_ON if purpose == "deciding" else MET_ON),
            "place": "党员活动室",
            "chair": chair,
            "recorder": next(who for who in there if who != chair),
            "present": there,
            "minutes": "逐项进行，见记录",
            **fields,
        }
        made = self.record("meetings", {name: value for name, value in body.items() if value is not None})
        if confirmed:
            self.confirm(made)
        return made

    def confirm(self, meeting: Mapping[str, Any], *roles: str) -> None:
        """Let chair and recorder confirm the minutes, or only the roles that are named."""
        for role in roles or ("chair", "recorder"):
            ok(self.house.as_(meeting[role]).post(f"{self.path}/meetings/{meeting['id']}/confirm"), 200)

    def criticism(self) -> Line:
        leaders = self.numbers(lambda row: row["leads"])
        return {"criticisms": [{"speaker": leaders[0], "about": leaders[-1], **CRITICISM}]}

    def life_meetings(self, form: str = "general") -> None:
        """Record the self-review meeting in its form, and the report to a general meeting."""
        report: Line = {"duty_report": "代表支委会述职"}
        if form == "general":
            self.meeting("life", **report, **self.criticism())
            return
        if form == "committee":
            self.meeting("life", form, **self.criticism())
        else:
            there = self.numbers(lambda row: row["excused_confirmed_by"] is None)
            for name, group in (("第一党小组", there[::2]), ("第二党小组", there[1::2])):
                self.meeting("life", form, group=name, present=group, **self.criticism())
        self.meeting("report", **report)

    def voters(self) -> int:
        return len(self.numbers(lambda row: row["voting"] and row["excused_confirmed_by"] is None))

    def on_ballot(self) -> list[Line]:
        return [row for row in self.roll() if row["standing"] == "full" and row["rated_here"] and row["excused_confirmed_by"] is None]

    def rated_here(self) -> list[Line]:
        """List those whom this branch rates, also who was on its ballot and has left since."""
        lines = every(self.office, f"{self.path}/roll")
        return [row for row in lines if row["standing"] == "full" and row["rated_here"] and row["excused_confirmed_by"] is None]

    def ballot(self, subject: str) -> Line:
        """Make the result of a ballot: everybody votes for each member's level in ``levels``.

        Nobody votes on themselves.
        """
        voters = self.voters()
        numbers = {"subject": subject, "issued": voters, "returned": voters, "valid": voters, "void": 0}
        if subject == "committee":
            marks = {item: {"good": voters - 1, "fairly_good": 1} for item in ("work", "style", "overall")}
            return {**numbers, "counts": {**marks, "comments": ["多听意见"]}}
        counts = {row["staff_no"]: {self.level(row): voters - bool(row["voting"]), "abstain": int(row["voting"])} for row in self.on_ballot()}
        return {**numbers, "counts": counts}

    def level(self, row: Mapping[str, Any]) -> str:
        return self.levels.get(str(row["staff_no"]), "qualified")

    def tellers(self) -> list[str]:
        return self.numbers(lambda row: row["standing"] == "full" and row["post"] != "secretary" and row["excused_confirmed_by"] is None)[:2]

    def tally(self, subject: str, tellers: Sequence[str] | None = None) -> None:
        body = self.ballot(subject)
        for teller in self.tellers() if tellers is None else tellers:
            self.record("tallies", body, by=teller)

    def tallies(self) -> None:
        for subject in ("committee", "members"):
            self.tally(subject)

    # ── rating ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def rate(self, staff_no: str, *, told: bool = True, **fields: Any) -> None:
        self.record("ratings", {"staff_no": staff_no, "opinion": f"{staff_no} 履行职责较好", **fields})
        if told:
            self.tell(staff_no)

    def tell(self, staff_no: str) -> None:
        """Tell a member the opinion on them, and let them acknowledge it."""
        ok(self.secretary.post(f"{self.path}/ratings/{staff_no}/feedback", {"given_on": self.on(TODAY), "way": "face"}), 200)
        ok(self.house.as_(staff_no).post(f"{self.path}/ratings/{staff_no}/acknowledge", {"remark": "同意"}), 200)

    def ratings(self, *, without: Collection[str] = (), untold: Collection[str] = ()) -> None:
        for row in self.rated_here():
            if (who := row["staff_no"]) not in without:
                self.rate(who, level=self.level(row), told=who not in untold)

    def decision(self, form: str = "general", **fields: Any) -> Any:
        votes = self.voters() if form == "general" else len(self.numbers(lambda row: row["on_committee"]))
        return self.meeting("deciding", form, **{"vote": {"yes": votes}, "minutes": "逐人提出评定意见并表决", **fields})

    def help_plan(self, staff_no: str) -> Any:
        return self.record(
            "help-plans", {"staff_no": staff_no, "helper": self.holder("secretary"), "first_step": "每月谈心一次", "review_on": self.on("2025-03-31")}
        )

    def case(self, staff_no: str, **fields: Any) -> Any:
        return self.record(
            "disposition-cases", {"staff_no": staff_no, "signs": [1, 3], "proposed_on": self.on(DECIDED_ON), "facts": "两次无故不参加", **fields}
        )

    def aftercare(self) -> None:
        """Record help plans and cases for members here rated 基本合格 or 不合格."""
        for staff_no in self.numbers():
            if self.levels.get(staff_no) == "basic":
                self.help_plan(staff_no)
            elif self.levels.get(staff_no) == "unqualified":
                self.case(staff_no)

    # ── rectification and report ──────────────────────────────────────────────────────────────────────────────────────

    def problem(self) -> Any:
        return self.record("problems", {"source": "meeting", "about": "committee", "text": "“三会一课”质量不高"})

    def measure(self, *problems: Mapping[str, Any], by: str | None = None, **fields: Any) -> Any:
        body = {"problems": [row["id"] for row in problems], "text": "完善“三会一课”制度", "due_on": self.on("2025-06-30"), **fields}
        return self.record("measures", {name: value for name, value in body.items() if value is not None}, by=by)

    def commitment(self, staff_no: str, **fields: Any) -> Any:
        body = {"staff_no": staff_no, "problem": "学习不够深入", "text": "每周自学一次", "due_on": self.on("2025-06-30"), **fields}
        return self.record("commitments", {name: value for name, value in body.items() if value is not None}, by=staff_no)

    def commitments(self, *, without: Collection[str] = ()) -> None:
        for staff_no in self.numbers(lambda row: row["excused_confirmed_by"] is None and row["staff_no"] not in without):
            self.commitment(staff_no)

    def publication(self, **fields: Any) -> Any:
        return self.record("publications", {"place": "学院公示栏", "from": self.on(TODAY), "to": self.on("2024-12-27"), **fields})

    def sent_up(self) -> None:
        """Send the measures up, and let the office confirm the receipt."""
        made = self.record("rectification-filings", {"to": "学院党委", "sent_on": self.on(TODAY)})
        ok(self.office.post(f"{self.path}/rectification-filings/{made['id']}/receive"), 200)

    def form(self, by: str | None = None, **fields: Any) -> None:
        client = self.house.as_(by) if by else self.secretary
        seen = client.get(f"{self.path}/form").etag
        ok(client.patch(f"{self.path}/form", fields or {"prepared_by": "王五", "phone": "8888 0101"}, seen=seen), 200)

    # ── a whole stage ─────────────────────────────────────────────────────────────────────────────────────────────────

    def does(self, stage: str, *, form: str = "general", decides: str = "general") -> None:
        """Do all that a stage asks for from this branch."""
        acts: Mapping[str, Sequence[Callable[[], object]]] = {
            "study": [self.study],
            "talks": [self.talks],
            "self_review": [self.self_reviews, lambda: self.life_meetings(form), self.tallies],
            "rating": [self.ratings, lambda: self.decision(decides), self.aftercare],
            "rectification": [lambda: self.measure(self.problem()), self.commitments, self.publication, self.sent_up],
            "report": [self.form],
        }
        for act in acts[stage]:
            act()

    def comes_to(self, stage: str, *, form: str = "general", decides: str = "general") -> None:
        """Do all and move on, stage after stage, until the branch is there."""
        while (here := self.stage) != stage:
            self.does(here, form=form, decides=decides)
            self.goes_on()
