"""The service of a school by Flask, SQLAlchemy's ORM and transitions."""

import os
from datetime import UTC, date, datetime
from functools import wraps

from flask import Flask, abort, g, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from transitions import Machine, MachineError

OFFICE = "office@school.example"


class Base(DeclarativeBase):
    """All tables."""


db = SQLAlchemy(model_class=Base)


class Branch(db.Model):
    """A branch."""

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class Member(db.Model):
    """A member of a branch, with a post or without."""

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), index=True)
    name: Mapped[str]
    post: Mapped[str | None]
    leads: Mapped[bool] = mapped_column(default=False)


class Token(db.Model):
    """A token by which a member signs in."""

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    member: Mapped[Member] = relationship()


class Process(db.Model):
    """A branch's way through the year."""

    id: Mapped[int] = mapped_column(primary_key=True)
    branch_id: Mapped[int] = mapped_column(ForeignKey("branch.id"), unique=True)
    stage: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    entered_at: Mapped[datetime]
    due_on: Mapped[date | None]
    branch: Mapped[Branch] = relationship()


class Talk(db.Model):
    """A talk between two people."""

    id: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[int] = mapped_column(ForeignKey("process.id"), index=True)
    talker_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    partner_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    held_on: Mapped[date]
    focus: Mapped[bool] = mapped_column(default=False)
    focus_reason: Mapped[str | None]


class StageChange(db.Model):
    """A move that was made."""

    id: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[int] = mapped_column(ForeignKey("process.id"), index=True)
    trigger: Mapped[str]
    source: Mapped[str]
    target: Mapped[str]
    made_by: Mapped[int] = mapped_column(ForeignKey("member.id"))
    made_at: Mapped[datetime]


class Letter(db.Model):
    """A letter that waits to be sent."""

    id: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[int] = mapped_column(ForeignKey("process.id"), index=True)
    address: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    state: Mapped[str] = mapped_column(default="pending", index=True)
    created_at: Mapped[datetime]


class Flow:
    """The state machine of one process."""

    STATES = ("study", "talks", "self_review")
    TRANSITIONS = (
        {
            "trigger": "advance",
            "source": "talks",
            "dest": "self_review",
            "conditions": [
                "talked_with_everybody",
                "leaders_talked_with_one_another",
                "secretary_has_a_focus_talk",
            ],
        },
        {"trigger": "step_back", "source": "self_review", "dest": "talks"},
    )

    def __init__(self, process):
        self.process = process
        self.machine = Machine(
            model=self,
            states=self.STATES,
            transitions=self.TRANSITIONS,
            initial=process.stage,
            auto_transitions=False,
        )

    def talked_with_everybody(self):
        """Tell whether a leader has talked with every member."""
        talked = (
            select(Talk.partner_id)
            .join(Member, Member.id == Talk.talker_id)
            .where(Talk.process_id == self.process.id, Member.leads)
        )
        left = select(func.count(Member.id)).where(
            Member.branch_id == self.process.branch_id, ~Member.leads, Member.id.not_in(talked)
        )
        return db.session.scalar(left) == 0

    def leaders_talked_with_one_another(self):
        """Tell whether each pair of leaders has talked."""
        leads = select(Member.id).where(Member.branch_id == self.process.branch_id, Member.leads)
        count = len(db.session.scalars(leads).all())
        pairs = select(func.count(func.distinct(func.row(Talk.talker_id, Talk.partner_id)))).where(
            Talk.process_id == self.process.id,
            Talk.talker_id.in_(leads),
            Talk.partner_id.in_(leads),
        )
        return db.session.scalar(pairs) >= count * (count - 1) // 2

    def secretary_has_a_focus_talk(self):
        """Tell whether the secretary has held a focus talk and said why."""
        found = (
            select(func.count(Talk.id))
            .join(Member, Member.id == Talk.talker_id)
            .where(
                Talk.process_id == self.process.id,
                Member.post == "secretary",
                Talk.focus,
                Talk.focus_reason.is_not(None),
            )
        )
        return db.session.scalar(found) > 0


def signed_in(view):
    """Refuse a request without a token."""

    @wraps(view)
    def checked(*args, **kwargs):
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        token = db.session.scalar(
            select(Token).options(joinedload(Token.member)).where(Token.key == key)
        )
        if scheme != "Token" or token is None:
            abort(401)
        g.member = token.member
        return view(*args, **kwargs)

    return checked


def create_app():
    """Make the application."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["PEER_DATABASE_URL"]
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 10, "pool_pre_ping": True}
    db.init_app(app)

    @app.get("/healthz")
    def healthz():
        return jsonify(status="ok")

    @app.post("/api/branches/<code>/moves/")
    @signed_in
    def move(code):
        return make_move(code)

    return app


def make_move(code):
    """Move a branch."""
    sent = request.get_json()
    trigger = sent.get("trigger")
    if trigger not in ("advance", "step_back"):
        return jsonify(errors={"trigger": "not a trigger"}), 422
    process = db.session.scalar(
        select(Process)
        .join(Process.branch)
        .options(joinedload(Process.branch))
        .where(Branch.code == code)
        .with_for_update(of=Process)
    )
    if process is None:
        abort(404)
    if g.member.branch_id != process.branch_id or g.member.post != "secretary":
        abort(403)
    source, flow = process.stage, Flow(process)
    try:
        if not flow.trigger(trigger):
            return jsonify(detail="something is missing"), 409
    except MachineError as refusal:
        return jsonify(detail=str(refusal)), 409
    now = datetime.now(UTC)
    process.stage, process.entered_at = flow.state, now
    process.version += 1
    db.session.add(
        StageChange(
            process_id=process.id,
            trigger=trigger,
            source=source,
            target=process.stage,
            made_by=g.member.id,
            made_at=now,
        )
    )
    name = process.branch.name
    db.session.add(
        Letter(
            process_id=process.id,
            address=OFFICE,
            subject=f"{name}：进入{process.stage}",
            text=f"{name}已由{source}进入{process.stage}。",
            created_at=now,
        )
    )
    body = {
        "code": code,
        "name": name,
        "stage": process.stage,
        "version": process.version,
        "entered_at": now.isoformat(),
        "due_on": process.due_on.isoformat() if process.due_on else None,
    }
    db.session.commit()
    return jsonify(body), 201


if __name__ == "__main__":
    with create_app().app_context():
        db.create_all()
