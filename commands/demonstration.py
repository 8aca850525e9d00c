"""The parts of the demo (演示的各部分), started one after another and ended the other way round."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import migrations
from api.server.demo import close_folder, kept_secret, prepare_demo, run_demo
from api.server.listening import must_be_free
from commands.frame import database, told_plainly
from commands.language import tell
from commands.service import newest_migration
from schedulers.catcher import mail_catcher
from schedulers.worker import run_worker
from workflow.foundation.database import Engine, engine_for
from workflow.foundation.errors import Words
from workflow.foundation.logs import configure_logs
from workflow.foundation.settings import Settings, read_settings

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Demonstration:
    """A demo whose school is there, and whose service does not run yet."""

    engine: Engine
    settings: Settings
    port: int
    welcome: Words

    def run(self) -> None:
        """Serve and tick until a signal to stop."""
        run_demo(self.engine, self.settings, run_worker, host=HOST, port=self.port, newest_migration=newest_migration())


@told_plainly
def started(until_the_end: ExitStack, *, port: int, data_dir: Path | None, accounts_file: Path | None) -> Demonstration:
    """Start the mailbox and the database, and make the school if there is none."""
    configure_logs(readable=True, level="WARNING")
    settings = read_settings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    must_be_free(port, HOST)
    close_folder(settings.data_dir)
    smtp_url = until_the_end.enter_context(mail_catcher(settings.data_dir / "mail", tell))
    urls = until_the_end.enter_context(database(settings))
    ours = {"smtp_url": smtp_url, "base_url": f"http://{HOST}:{port}", "secret_key": kept_secret(settings.data_dir)}
    settings = settings.model_copy(update=ours)
    migrations.migrate(urls.owner, urls.application)
    engine = engine_for(urls.application)
    until_the_end.callback(engine.dispose)
    return Demonstration(engine, settings, port, prepare_demo(engine, settings, accounts_file=accounts_file))
