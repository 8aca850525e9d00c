"""Mail (发信): letters from the queue to a local server, beside one ready message sent as often."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from psycopg import Connection

from benchmarks.bench import Bench, Findings, Group
from benchmarks.frame.errors import BenchFailed
from benchmarks.frame.rounds import Slice, interleave, row
from benchmarks.frame.servers import Inside
from benchmarks.processes.mail import a_sink
from benchmarks.school.copying import unwatched
from benchmarks.school.loading import SCHOOL

LETTERS = """
    insert into letter (key, kind, cycle_id, recipient_id, recipient_name, address, subject, text,
        html, state, created_at, attempts, next_at, message_id)
    select 'bench:' || n, 'returned', 1, p.id, p.name, 'm' || n || '@school.example',
        '第' || n || '党支部：谈心谈话环节的期限还有3天',
        repeat('您好：本支部的谈心谈话还差1项，请在期限前完成并登记。' || E'\\n', 12),
        '<html><body>' || repeat('<p>您好：本支部的谈心谈话还差1项，请登记。</p>', 12)
            || '</body></html>',
        'pending', now(), 0, now(), md5('bench' || n || clock_timestamp())
    from generate_series(1, %s) n, (select id, name from person order by id limit 1) p
"""


def measure(bench: Bench, rounds: int, wanted: Set[str]) -> Findings:
    """Deliver letters, and send a ready message as often."""
    count = bench.scale.letters
    with (
        a_sink(bench.folder) as smtp,
        bench.inside(bench.school, smtp) as inside,
        bench.cluster.connect(SCHOOL) as connection,
    ):
        unwatched(connection)

        def deliver() -> Slice:
            connection.execute("truncate letter cascade")
            connection.execute(LETTERS, [count])
            return _sent(bench, inside, "send")

        def ready_made() -> Slice:
            return _sent(bench, inside, "send_ready_made", count=count)

        done = interleave({"mail": deliver, "floor": ready_made}, rounds, bench.tell)
        _forget(connection)
    return [row("mail", done["mail"], done["floor"])]


def _sent(bench: Bench, inside: Inside, act: str, **given: int) -> Slice:
    """Run an act that sends; give letters per second, with the CPU of one."""
    count = bench.scale.letters
    meter = bench.cluster.meter(inside.pid)
    before = meter.read()
    done = inside.do(act, **given)
    used = meter.since(before)
    if done["count"] != count:
        raise BenchFailed(f"{done['count']} of {count} letters were sent")
    return Slice(count / done["seconds"], used.per_act(count))


def _forget(connection: Connection[Any]) -> None:
    connection.execute("truncate letter cascade")


GROUP = Group("mail", ("mail",), 5, 40, measure)
