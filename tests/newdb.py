"""New databases as copies of one that was made by all migrations: making each anew is half of what a short test takes.

A folder's conftest.py imports `new_databases`.  tests/store does not: its databases are made in earnest.
"""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from mailserver.store import migrate, store
from mailserver.store.database import Database, prepare_new
from mailserver.store.migrate import Step


@pytest.fixture(scope="session", autouse=True)
def new_databases() -> Iterator[None]:
    """What `Store.open` makes in this process is a copy from the second time on."""
    made: dict[int, apsw.Connection] = {}  # by the last step's number

    def copied(db: Database, path: Path, history: list[Step]) -> None:
        latest = history[-1].number
        is_new = db.rows("SELECT count(*) FROM sqlite_schema") == [(0,)]
        if is_new and latest in made:
            prepare_new(db)
            _copy(made[latest], db.connection)
            return
        migrate.migrate(db, path, history)
        if is_new:
            made[latest] = apsw.Connection(":memory:")
            _copy(db.connection, made[latest])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "migrate", copied)
        yield


def _copy(source: apsw.Connection, target: apsw.Connection) -> None:
    with target.backup("main", source, "main") as backup:
        backup.step(-1)
