"""A service that began before its database asks for the migration once, before anything else."""

from __future__ import annotations

from sqlalchemy import event, text

from api import create_app
from tests.api.conftest import Client
from tests.support.servers import House, settings_of_tests
from workflow.foundation.database import engine_for

MISSING = "an even newer one"


def test_a_database_that_is_not_migrated_answers_503_until_it_is(house: House) -> None:
    engine = engine_for(house.engine.url.render_as_string(hide_password=False))
    token = house.as_("office").token
    with house.engine.connect() as connection:
        newest = str(connection.scalar(text("select version_num from alembic_version")))
    behind, current = (create_app(engine, settings_of_tests(), clock=house.clock, newest_migration=each).test_client() for each in (MISSING, newest))
    refusal = Client(behind, token).get("/me")
    assert (refusal.status, refusal.headers["Retry-After"]) == (503, "30")
    assert str(refusal.body["type"]).endswith("#database-behind")
    assert behind.get("/healthz").status_code == 200
    assert behind.get("/readyz").get_json()["migrations"] == "behind"
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert [Client(current, token).get("/me").status for _ in range(3)] == [200] * 3
    assert sum("alembic_version" in each for each in asked) == 1, "once in a process"
    engine.dispose()
