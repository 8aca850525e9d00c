"""Doing an act on a page (办理): the form of the act, what was typed, and what came of it.

The same three steps as at every edge: ``admit``, ``find``, ``perform``. A refusal shows the form
again with everything that was typed; a form that is sent twice has one effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, redirect
from flask import request as http
from marshmallow import fields

from api.frame.address import ASSESSMENT, BRANCH, CYCLE, page_address
from api.frame.base import NO_VERSION, branch_of, call_of, read
from api.frame.errors import CsrfMissing, status_of, told
from api.frame.routes import BODY_BYTES, FORM_BYTES, Answer, service
from api.frame.uploads import sent_workbook
from api.frame.wire import session_cookie, set_cookies
from api.pages.frame import again
from api.pages.frame.addresses import Deed, filled
from api.pages.frame.choices import known_to
from api.pages.frame.drafting import done_with, draft_for
from api.pages.frame.forms import Control, Typed, body_of, controls_of
from api.pages.frame.guard import must_be_ours, safe_place
from api.pages.frame.look import rendered, template_of
from api.pages.frame.own_forms import Filling
from api.pages.frame.serving import begin_page, signed_in, take_at_most, to_sign_in, visitor
from api.pages.frame.visit import Shown, Visit, site
from api.pages.records import Fact, facts_of, names_in, schema_of, trail_of
from workflow.foundation import idempotency
from workflow.foundation.database import ConstraintFault, Session, constraint, refusal_of, transaction, with_one_retry
from workflow.foundation.errors import Busy, Forbidden, Invalid, NotFound, Refusal, Stale, Unauthenticated
from workflow.foundation.idempotency import Repeatable, RequestInProgress
from workflow.people.access import Caller
from workflow.people.guard.throttle import TooManyTries
from workflow.rules.acts import Address, Call, admit, enter, find, keep, perform, shown_again, wants_version
from workflow.workbooks.imports import Upload
from workflow.year.finding import Lock

MORE = "_more"
"""The button for another empty row."""
OURS = ("_csrf", "_key", "_version", "_next", again.WHO, again.PASSWORD, MORE)
"""The fields of a form that are not the act's."""


@dataclass(frozen=True)
class Sent:
    """A form that was sent (提交的内容)."""

    typed: Typed
    body: Mapping[str, Any]
    version: int | None
    key: str
    back: str | None
    file: Upload | None = None

    @property
    def digest(self) -> str:
        """Return SHA-256 of the content: another one under the same key is refused."""
        written = json.dumps(self.body, sort_keys=True, ensure_ascii=False).encode()
        return sha256(written + (self.file.data if self.file else b"")).hexdigest()


def handler(deed: Deed) -> Callable[..., Response]:
    """Make the function that Flask calls for the page of an act."""

    def handle(**address: str | int) -> Response:
        begin_page(address)
        try:
            if http.method == "GET":
                return with_one_retry(lambda: _form(deed, address, None, None))
            take_at_most(service().settings.upload_bytes + FORM_BYTES if deed.route.upload else BODY_BYTES)
            return _again(deed, address) if again.PASSWORD in http.form else _post(deed, address)
        except (Unauthenticated, CsrfMissing) as refused:
            if http.method == "POST" and again.has_ended():
                return again.ask()
            if isinstance(refused, CsrfMissing):
                raise
            return to_sign_in()
        except Forbidden as refusal:
            if type(refusal) is Forbidden:
                raise NotFound from None
            raise

    return handle


def _post(deed: Deed, address: Address) -> Response:
    must_be_ours(http.cookies.get(session_cookie(), ""))
    if MORE in http.form:
        return with_one_retry(lambda: _form(deed, address, _typed(deed), None))
    try:
        sent = _sent(deed)
    except Refusal as refused:
        unread = refused
        return with_one_retry(lambda: _form(deed, address, _typed(deed), unread))
    try:
        return with_one_retry(lambda: _do(deed, address, sent))
    except (NotFound, Unauthenticated, Busy):
        raise
    except ConstraintFault as fault:
        if constraint(fault) == idempotency.UNIQUE:
            return with_one_retry(lambda: _do(deed, address, sent))
        refusal = refusal_of(fault)
    except RequestInProgress:
        # The same form, sent a moment before: its outcome is the outcome of this one.
        return with_one_retry(lambda: _do(deed, address, sent))
    except Refusal as refused:
        refusal = refused
    return with_one_retry(lambda: _form(deed, address, sent, refusal))


def _again(deed: Deed, address: Address) -> Response:
    """Sign in again, and show the form with what was typed."""
    try:
        entered = again.enter_again()
    except (Unauthenticated, TooManyTries) as refusal:
        return again.ask(refusal)
    response = with_one_retry(lambda: _form(deed, address, _typed(deed), None, entered.session))
    set_cookies(response, entered)
    return response


def _sent(deed: Deed) -> Sent:
    """Read what was sent, with its file. Raises Invalid, TooLarge."""
    sent = _typed(deed)
    if deed.act.uploads is None:
        return sent
    file = sent_workbook(deed.act.uploads, http.files.get("file"), service().settings.upload_bytes)
    return replace(sent, file=file)


def _typed(deed: Deed) -> Sent:
    """Read the form by the act's schema."""
    form = http.form.to_dict(flat=False)
    typed = Typed({name: values for name, values in form.items() if name not in OURS})
    version = http.form.get("_version", "")
    return Sent(
        typed=typed,
        body={} if deed.act.sends is None else body_of(deed.act.sends, typed, clearing=deed.prefilled),
        version=int(version) if version.isascii() and version.isdigit() and len(version) <= 18 else None,
        key=http.form.get("_key", ""),
        back=http.form.get("_next"),
    )


def _do(deed: Deed, address: Address, sent: Sent) -> Response:
    """Do the act, as any edge does; answer with the way to the page that shows it."""
    callers: list[Caller] = []

    def sign_in(session: Session) -> str:
        callers.append(signed_in(call_of(session)).by)
        return callers[0].staff_no

    with transaction(service().engine, actor=sign_in) as session:
        call = replace(call_of(session), caller=callers[0])
        route, act = deed.route, deed.act
        repeatable = _repeatable(deed, call.by, sent)
        call, kept = admit(call, act, branch_of(route, address), repeatable)
        if kept is not None:
            call, result = shown_again(call, act, kept, address)
            return _on(deed, address, sent, route.view(call, result))
        call = find(call, act, address)
        if wants_version(call, act):
            call = replace(call, version_seen=NO_VERSION if sent.version is None else sent.version)
        result = perform(call, act, sent.body if act.sends is not None else sent.file)
        done_with(call, act, address)
        if act.secret:
            return rendered(Visit(call), _told_once(deed, route.view(call, result)))
        if repeatable is not None:
            keep(call, act, result, repeatable)
        return _on(deed, address, sent, route.view(call, result))


def _repeatable(deed: Deed, by: Caller, sent: Sent) -> Repeatable | None:
    """Identify a form by its key. A change that names its version needs none."""
    if not deed.route.repeatable or not sent.key:
        return None
    return Repeatable(by.person_id, f"page {http.path}", idempotency.checked_key(sent.key), sent.digest)


def _on(deed: Deed, address: Address, sent: Sent, answer: object) -> Response:
    """Send on to the page that shows what was done, which confirms it."""
    location = answer.location if isinstance(answer, Answer) else None
    place = safe_place(sent.back, nearest_page(page_address(location) if location else filled(deed.above, address)))
    joint = "&" if "?" in place else "?"
    response: Response = redirect(f"{place}{joint}{urlencode({'done': deed.act.name})}", 303)  # type: ignore[assignment]
    response.headers["Cache-Control"] = "no-store"
    if isinstance(answer, Answer):
        set_cookies(response, answer)
    return response


def nearest_page(address: str) -> str:
    """Return the address, or that of the nearest page above it."""
    pages = current_app.url_map.bind("")
    while address.strip("/") and not pages.test(address, "GET"):
        address = address.rstrip("/").rpartition("/")[0]
    return address or "/"


def _told_once(deed: Deed, answer: object) -> Shown:
    """Show what an act answers once and for all, such as a token."""
    body = getattr(answer, "body", answer)
    if isinstance(body, Mapping) and "slips" in body:
        return Shown("slips.html", deed.act.zh, body)
    return Shown("told_once.html", deed.act.zh, {"body": body if isinstance(body, Mapping) else {}, "items": _several(body)})


def _several(body: object) -> Sequence[Any]:
    return body["items"] if isinstance(body, Mapping) and isinstance(body.get("items"), list) else ()


# ── the form ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _form(deed: Deed, address: Address, sent: Sent | None, refusal: Refusal | None, cookie: str | None = None) -> Response:
    """Show the form of an act: empty, as the thing stands, or as it was typed and refused."""
    with transaction(service().engine, actor=None) as session:
        visit = visitor(session, anybody=False, cookie=cookie)
        act = deed.act
        assert act.action is not None  # noqa: S101  (acts of everybody have pages of their own)
        code = branch_of(deed.route, address)
        call = enter(visit.call, act.action, code, changes=False)
        thing, version = _thing(call, deed, address)
        stands = thing if deed.prefilled and isinstance(thing, Mapping) else {}
        values = {**stands, **http.args.to_dict()} if sent is None else _typed_again(stands, sent)
        errors = refusal.errors if isinstance(refusal, Invalid) else {}
        known = known_to(visit, deed, address, values)
        settled = _settled(deed, values)
        controls = [] if act.sends is None else controls_of(act.sends, values, _by_control(errors), known, hidden=settled)
        title = next(iter(settled.values()), act).zh
        shown = {
            "deed": title,
            "more": deed.route.more.zh if deed.route.more and not settled else "",
            "fixed": settled,
            "controls": controls,
            # It was typed into the version that was seen: a newer one is not taken over unseen.
            "version": version if sent is None or sent.version is None else sent.version,
            "draft": draft_for(visit, act, address),
            "typed": sent is not None,
            "foretold": foretold(visit, address) if (foretold := site().foretold.get(act.name)) else (),
            "next": safe_place((sent.back if sent else None) or http.args.get("next"), ""),
            "back": nearest_page(filled(deed.above, address)),
            "refusal": None if refusal is None else _said(refusal, controls, dict(known.people)),
            "key": sent.key if sent else None,
            "grave": _is_grave(deed, settled),
            "upload": deed.route.upload,
            "facts": [] if deed.prefilled or not isinstance(thing, Mapping) else _facts(visit, deed, address, thing),
            "thing": stands,
        }
        own, template = site().forms.get(act.name), template_of(act.name)
        if own is not None:
            plain = {name: [words.zh for words in messages] for name, messages in _by_control(errors).items()}
            new = sent is None and not stands
            shown |= own.values(visit, address, Filling(values, plain, controls, refusal, new))
            template = own.template
        status = 200 if refusal is None else status_of(type(refusal))
        return rendered(visit, Shown(template, title, shown, trail=_trail(visit, deed, address), status=status))


def _facts(visit: Visit, deed: Deed, address: Address, thing: Mapping[str, Any]) -> list[Fact]:
    """Return what is known of the thing that an act is done to: one confirms what one has read."""
    schema = None if deed.reading is None or deed.reading.rule in (BRANCH, ASSESSMENT, CYCLE) else schema_of(deed.reading)
    return [] if schema is None else facts_of(schema, thing, names_in(visit, address))


def _is_grave(deed: Deed, settled: Mapping[str, Any]) -> bool:
    last = deed.rule.rpartition("/")[2]
    return not GRAVE.isdisjoint({last, *settled.values()}) or (deed.act.sends is None and last not in CALM)


CALM = frozenset({"confirm", "acknowledge", "approve", "accept"})
"""The last words of addresses where one says yes and writes nothing."""
GRAVE = frozenset(
    "withdraw reject end close publish apply delete reopen disable refuse leave renumber return step_back".split()  # noqa: SIM905
)
"""Last words of addresses, and moves, that take back or settle something: an outlined button."""

SETTLED = ("trigger",)
"""The fields that say what is done: named by the address, they are not asked again."""


def _settled(deed: Deed, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the address settles of an act, as words: it gives the page its title."""
    found: dict[str, Any] = {}
    for name in SETTLED:
        each = None if deed.act.sends is None else deed.act.sends.load_fields.get(name)
        words: Any = each.enum if isinstance(each, fields.Enum) else ()
        found.update((name, word) for word in words if word.value == values.get(name))
    return found


def _thing(call: Call[object], deed: Deed, address: Address) -> tuple[Any, int | None]:
    """Return the thing that the act is done to, and its version. Raises NotFound."""
    if deed.reading is None:
        # The API shows no such thing by itself: the act finds it, or it is not there.
        found = find(call, replace(deed.act, lock=Lock.NONE), address).found
        return None, getattr(found, "version", None)
    names = {name: value for name, value in address.items() if f"{name}>" in deed.reading.rule}
    try:
        answer = read(call, deed.reading, names, {})
    except (NotFound, Forbidden):
        # A form that was never written is written for the first time; and who does something below
        # a branch need not be somebody who reads where it stands.
        if deed.route.method == "PUT" or deed.reading.rule in (BRANCH, ASSESSMENT, CYCLE):
            return None, None
        raise
    return answer.body, answer.version


def _typed_again(stands: Mapping[str, Any], sent: Sent) -> Mapping[str, Any]:
    """Return what was typed; nothing of what stands comes back into a control that was emptied."""
    return {**{name: value for name, value in stands.items() if name not in {path.partition(".")[0] for path in sent.typed.sent}}, **sent.body}


def _by_control(errors: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: list(messages) if isinstance(messages, (list, tuple)) else [messages] for name, messages in errors.items()}


def _said(refusal: Refusal, controls: Sequence[Control], names: Mapping[str, str]) -> dict[str, Any]:
    """Tell a refusal in words: what stands in the way, and what changed since."""
    labels = {control.name: control.label for control in controls}
    elsewhere = []
    if isinstance(refusal, Invalid):
        elsewhere = [words.zh for name, messages in _by_control(refusal.errors).items() if name.partition(".")[0] not in labels for words in messages]
    extra = {name: told(value, "zh") for name, value in refusal.extra.items()}
    changed: Any = extra.get("changed") or []
    return {
        "title": refusal.title.zh,
        "detail": refusal.detail.zh,
        "stale": isinstance(refusal, Stale),
        "version": extra.get("version"),
        "changed": [
            (each["at"], names.get(each["by"], each["by"]), "、".join(labels[name] for name in each["fields"] if name in labels)) for each in changed
        ],
        "unmet": extra.get("unmet") or [],
        "elsewhere": elsewhere,
        "invalid": isinstance(refusal, Invalid),
    }


def _labels(names: Sequence[str], labels: Mapping[str, str]) -> str:
    return "、".join(labels[name] for name in names if name in labels)


def _trail(visit: Visit, deed: Deed, address: Address) -> list[tuple[str, str]]:
    """Return the way to the page of an act."""
    if "/assessments/" not in deed.rule or "code" not in address:
        return trail_of(visit, address)
    year, code = address["year"], address["code"]
    found = visit.body_if_any(ASSESSMENT, {"year": year, "code": code})
    name = str(found["branch"]["name"] if found else code)
    return [(f"/{year}/", f"{year}年度"), (f"/{year}/assessments/{code}", name)]
