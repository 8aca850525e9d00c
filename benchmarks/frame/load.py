"""The load (负载): keep-alive connections in one event loop, the same for product and floor.

Requests are bytes made beforehand, and answers are read no further than needed, so that the client
costs little. Nothing is tried again: an unexpected answer ends the measurement.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, quantiles

from benchmarks.frame.cpu import NO_CPU, Cpu, Meter
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.rounds import Slice

RECEIVE_BYTES = 262_144
LONGEST_ANSWER_SECONDS = 60
WARM_UP_ANSWERS = 8
"""Answers on each connection: psycopg prepares a statement at its sixth use."""
END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as bytes, the status it must bring, and what to do with the answer's head."""

    data: bytes
    status: int = 200
    answered: Callable[[bytes], None] | None = None


Requests = Callable[[], Request | None]
"""Gives the next request; None when there is nothing left to ask."""


def get(path: str, token: str | None = None, **headers: str) -> bytes:
    """Make the bytes of a GET. An underscore in a header's name stands for a dash."""
    return _bytes_of("GET", path, token, headers, b"")


def post(path: str, body: bytes, token: str | None = None, **headers: str) -> bytes:
    """Make the bytes of a POST of JSON."""
    return _bytes_of("POST", path, token, {"Content_Type": "application/json", **headers}, body)


def _bytes_of(
    method: str, path: str, token: str | None, headers: dict[str, str], body: bytes
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    if token is not None:
        lines.append(f"Authorization: {token}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + END_OF_HEAD + body


def always(data: bytes, status: int = 200) -> Requests:
    """Ask the same thing again and again."""
    request = Request(data, status)
    return lambda: request


@dataclass
class Crew:
    """Connections that ask the same kind of thing, and their answers."""

    port: int
    requests: Requests
    connections: int
    per_second: float | None = None
    """The pace of the requests; with None each connection asks again as soon as it was answered."""
    enough: int | None = None
    """The number of answers after which to stop; with None the crew goes on until the time is up.
    """
    latencies: list[float] = field(default_factory=list)
    """Seconds of each answer that came in time; of a paced crew, from the moment it was due."""
    answers: int = 0
    """The number of all answers, late ones included."""
    seconds: float = 0.0
    idle: deque[_Connection] = field(default_factory=deque)
    asked: int = 0
    dry: bool = False

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    @property
    def over(self) -> bool:
        """True if this crew has nothing more to do."""
        enough = self.enough is not None and self.answers >= self.enough
        return enough or (self.dry and len(self.idle) == self.connections)

    @property
    def all_asked(self) -> bool:
        """True if there is nothing left to ask, though answers may be on their way."""
        return self.dry or (self.enough is not None and self.asked >= self.enough)

    def due(self, began: float) -> float | None:
        """Tell when the next paced request is due."""
        if self.per_second is None or self.all_asked:
            return None
        return began + self.asked / self.per_second

    def next(self) -> Request | None:
        """Take the next request, or None if the crew has asked enough."""
        if self.all_asked:
            return None
        request = self.requests()
        if request is None:
            self.dry = True
        else:
            self.asked += 1
        return request

    def percentile(self, which: int) -> float:
        """Give a percentile of the latencies in milliseconds."""
        if len(self.latencies) == 1:
            return self.latencies[0] * 1000
        return quantiles(self.latencies, n=100, method="inclusive")[which - 1] * 1000


class _Connection:
    """One keep-alive connection, with at most one request on its way."""

    __slots__ = ("began", "crew", "missing", "received", "request", "selector", "socket")

    def __init__(self, crew: Crew, selector: selectors.BaseSelector) -> None:
        self.crew, self.selector = crew, selector
        self.request: Request | None = None
        self.received = bytearray()
        self.missing: int | None = None
        self.began = 0.0
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.crew.port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(self.socket, selectors.EVENT_READ, self)

    def close(self) -> None:
        """Close the socket, even if an answer is on its way."""
        self.selector.unregister(self.socket)
        self.socket.close()

    def ask(self, began: float | None = None) -> None:
        """Send the crew's next request, or join the idle connections."""
        self.request = self.crew.next()
        if self.request is None:
            self.crew.idle.append(self)
            return
        self.received.clear()
        self.missing = None
        self.began = time.perf_counter() if began is None else began
        self.socket.sendall(self.request.data)

    def receive(self) -> bool:
        """Read what has come and tell whether the answer is complete."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data or self.request is None:
            raise BenchFailed("the server closed a connection in the middle of a request")
        self.received += data
        if self.missing is None:
            end = self.received.find(END_OF_HEAD)
            if end < 0:
                return False
            self.missing = end + len(END_OF_HEAD) + _content_length(bytes(self.received[:end]))
        return len(self.received) >= self.missing

    def finish(self) -> None:
        """Judge the answer and hand its head on. Raises BenchFailed."""
        request, head = self.request, bytes(self.received)
        self.request = None
        if request is None or int(head[9:12]) != request.status:
            asked = request.data.split(b"\r\n")[0].decode() if request else ""
            raise BenchFailed(f"{asked} was answered {head[:2000].decode(errors='replace')}")
        if request.answered is not None:
            request.answered(head)
        if b"connection: close" in head[:1000].lower():
            self.close()
            self._connect()


def _content_length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    if place < 0:
        if head[9:12] in (b"204", b"304"):
            return 0
        raise BenchFailed(f"an answer without a length: {head.decode(errors='replace')}")
    return int(head[place + 15 :].split(b"\r\n", 1)[0])


def run(crews: Sequence[Crew], seconds: float) -> None:
    """Let crews ask side by side until the time is up or all of them have done enough.

    Answers still on their way then are awaited and handed on, but their latencies do not count.
    """
    with selectors.DefaultSelector() as selector:
        connections = [
            _Connection(crew, selector) for crew in crews for _ in range(crew.connections)
        ]
        try:
            began = time.perf_counter()
            for each in connections:
                if each.crew.per_second is None:
                    each.ask()
                else:
                    each.crew.idle.append(each)
            _go_on(crews, selector, began, began + seconds)
            _await_the_rest(connections, selector)
        finally:
            for each in connections:
                each.close()


def _go_on(
    crews: Sequence[Crew], selector: selectors.BaseSelector, began: float, end: float
) -> None:
    while (now := time.perf_counter()) < end and not all(crew.over for crew in crews):
        wake = min((_start_due(crew, began, now) for crew in crews), default=end)
        for key, _ in selector.select(max(0.0, min(wake, end) - now)):
            connection: _Connection = key.data
            if not connection.receive():
                continue
            crew = connection.crew
            answered_at = time.perf_counter()
            crew.answers += 1
            if answered_at <= end:
                crew.latencies.append(answered_at - connection.began)
                crew.seconds = answered_at - began
            connection.finish()
            if crew.per_second is None and answered_at < end:
                connection.ask()
            else:
                crew.idle.append(connection)
    for crew in crews:
        if not crew.over:
            crew.seconds = end - began


def _start_due(crew: Crew, began: float, now: float) -> float:
    """Send the due requests of a paced crew and give the time of its next one."""
    while (due := crew.due(began)) is not None and due <= now and crew.idle:
        crew.idle.popleft().ask(due)
    return now + 1 if due is None or due <= now else due


def _await_the_rest(connections: Sequence[_Connection], selector: selectors.BaseSelector) -> None:
    give_up = time.perf_counter() + LONGEST_ANSWER_SECONDS
    while any(each.request is not None for each in connections):
        if time.perf_counter() > give_up:
            raise BenchFailed(f"no answer within {LONGEST_ANSWER_SECONDS} seconds")
        for key, _ in selector.select(1):
            connection: _Connection = key.data
            if connection.receive():
                connection.crew.answers += 1
                connection.finish()


def warm_up(port: int, requests: Requests, connections: int) -> None:
    """Ask a little that does not count: connections open and statements are prepared."""
    crew = Crew(port, requests, connections, enough=connections * WARM_UP_ANSWERS)
    run([crew], LONGEST_ANSWER_SECONDS)


def by_rate(crew: Crew, meter: Meter, seconds: float) -> Slice:
    """Run one crew and give its rate, CPU per act and latencies."""
    before = meter.read()
    run([crew], seconds)
    used = meter.since(before)
    return slice_of(crew, crew.rate, used.per_act(crew.answers))


def by_time(crew: Crew, meter: Meter) -> Slice:
    """Run one crew until it has enough and give the median milliseconds of an act."""
    before = meter.read()
    run([crew], LONGEST_ANSWER_SECONDS * (crew.enough or 1))
    used = meter.since(before)
    return slice_of(crew, crew.percentile(50), used.per_act(crew.answers))


def slice_of(crew: Crew, figure: float, cpu: Cpu = NO_CPU) -> Slice:
    """Give a figure of a crew with its latencies."""
    if not crew.latencies:
        raise BenchFailed("nothing was answered in time")
    mean = fmean(crew.latencies) * 1000
    return Slice(figure, cpu, mean, crew.percentile(50), crew.percentile(99))
