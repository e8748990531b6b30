"""The write-ahead log stays small, whoever writes it back, and readers in the way do not slow the writers down."""

import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from mailserver.store import checkpoint
from mailserver.store.checkpoint import (
    AGAIN_PAGES,
    LARGE_PAGES,
    SOON_PAGES,
    Background,
    Due,
    Growth,
    write_back,
)
from mailserver.store.database import PAGE_SIZE, connect
from mailserver.store.spool import body_of
from mailserver.store.store import Store
from store.world import NOW, World, derived


def test_the_log_is_written_back_whenever_it_has_grown() -> None:
    growth = Growth()
    assert growth.to(SOON_PAGES - 1) is Due.NOTHING
    assert growth.to(SOON_PAGES) is Due.SOON
    assert growth.to(SOON_PAGES + 1) is Due.NOTHING
    assert growth.to(2 * SOON_PAGES - 1) is Due.NOTHING


def test_a_log_that_began_anew_is_measured_anew() -> None:
    growth = Growth()
    assert growth.to(SOON_PAGES) is Due.SOON
    assert growth.to(10) is Due.NOTHING
    assert growth.to(SOON_PAGES) is Due.SOON


def test_a_large_log_is_the_writers_business_and_tried_again_only_after_growth() -> None:
    growth = Growth()
    assert growth.to(LARGE_PAGES) is Due.NOW
    assert growth.to(LARGE_PAGES + AGAIN_PAGES - 1) is Due.NOTHING
    assert growth.to(LARGE_PAGES + AGAIN_PAGES) is Due.NOW
    assert growth.to(5) is Due.NOTHING
    assert growth.to(LARGE_PAGES) is Due.NOW


def test_no_connection_writes_the_log_back_by_itself(tmp_path: Path) -> None:
    for is_reading in (False, True):
        db = connect(tmp_path / "db", cache_kib=100, reading=is_reading)
        assert db.rows("PRAGMA wal_autocheckpoint") == [(0,)]
        db.connection.close()


def test_two_at_once_do_not_matter_and_other_trouble_is_told(caplog) -> None:
    class Connection:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def wal_checkpoint(self, mode: int) -> None:
            raise self._error

    connection: Any = Connection(apsw.BusyError("database is locked"))
    write_back(connection)
    assert caplog.records == []
    connection = Connection(apsw.IOError("disk I/O error"))
    write_back(connection)
    assert [record.getMessage() for record in caplog.records] == ["checkpoint failed"]


@pytest.fixture
def small(monkeypatch) -> None:
    """Thresholds that a test reaches."""
    monkeypatch.setattr(checkpoint, "SOON_PAGES", 40)
    monkeypatch.setattr(checkpoint, "LARGE_PAGES", 80)
    monkeypatch.setattr(checkpoint, "AGAIN_PAGES", 20)


def deliver(store: Store, world: World, count: int) -> None:
    """Messages of three pages, one commit each, without a pause in between."""
    ended = threading.Event()
    left = list(range(count))

    def go_on(outcome: Any = None) -> None:
        if outcome is not None:
            outcome.result()
        if not left:
            ended.set()
            return
        raw = b"%d" % left.pop() + bytes(20_000)
        prepared = store.prepare(body_of(raw), 100_000)
        store.write(
            lambda tx: tx.messages.add(
                world.alice.id, world.inbox, tx.blobs.put(prepared), derived(), internal_at=NOW
            ),
            go_on,
        )

    go_on()
    assert ended.wait(60)


def test_steady_writing_does_not_make_the_log_grow(world: World, small: None) -> None:
    store = Store(world.folder)
    store.open()
    store.start()
    deliver(store, world, 200)
    size = (world.folder / "mailserver.db-wal").stat().st_size
    store.close()
    assert 0 < size < 200 * PAGE_SIZE


def test_a_writer_alone_writes_the_log_back_too(world: World, small: None) -> None:
    for n in range(100):
        world.add(b"%d" % n + bytes(20_000))
    assert (world.folder / "mailserver.db-wal").stat().st_size < 150 * PAGE_SIZE


def test_the_log_begins_anew_once_a_long_reader_has_gone(world: World, small: None) -> None:
    log = world.folder / "mailserver.db-wal"
    store = Store(world.folder)
    store.open()
    store.start()
    reader = connect(world.store.path, cache_kib=100, reading=True)
    reader.run("BEGIN")
    assert reader.rows("SELECT count(*) FROM message") == [(0,)]
    deliver(store, world, 60)
    grown = log.stat().st_size
    assert grown > 120 * PAGE_SIZE
    reader.run("ROLLBACK")
    deliver(store, world, 200)
    assert log.stat().st_size < grown + 120 * PAGE_SIZE
    reader.connection.close()
    store.close()


def test_the_thread_does_what_it_was_asked_before_it_ends(world: World) -> None:
    world.add(b"1")
    background = Background(world.store.path)
    background.ask()
    background.close()
    background = Background(world.store.path)
    background.close()
