"""The text index is fed in the background, whatever happens to whoever feeds it."""

import asyncio
import os
import signal
import time
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest

from imap.mailroom import Mailroom
from jobs.post_office import a_site
from mailserver.base.errors import TryLater
from mailserver.base.limits import Limits, SearchLimits
from mailserver.jobs import feeder as feeding
from mailserver.jobs import indexing
from mailserver.jobs.feeder import Feeder
from mailserver.jobs.indexing import feed_index
from mailserver.servers.work import Work
from mailserver.store.search_file import SearchFile
from mailserver.store.store import Store

FORK = get_context("fork")
LETTER = b"From: Ann <ann@example.org>\r\nSubject: letter %d\r\n\r\n%b word%d\r\n"


def fill(room: Mailroom, first: int, last: int) -> None:
    room.put_all(
        [
            (LETTER % (n, b"needle" if n % 7 == 0 else b"hay", n), 0, (), 0)
            for n in range(first, last)
        ]
    )


def rows(folder: Path) -> dict[str, int]:
    """How many messages each part of the index has."""
    file = SearchFile(folder)
    with file._file.reading() as db:
        assert db is not None
        tables = ("head", "body", "head_words", "body_words")
        found = {t: db.rows(f"SELECT count(*) FROM {t}_docsize")[0][0] for t in tables}
        for name in ("from", "subject"):
            texts = db.rows("SELECT texts FROM field WHERE name = ?", (name,))
            found[name] = sum(text.count(b"\xff") + 1 for (text,) in texts)
        for table in tables:
            query = '"wor" *' if table.endswith("words") else '"let" OR "wor"'
            assert db.rows(f"SELECT count(*) FROM {table} WHERE {table} MATCH ?", (query,)) == [
                (0 if table == "head_words" else found[table],)
            ]
    file.close()
    return found


def feed_until_killed(folder: Path) -> None:
    store = Store(folder)
    store.open()
    feeder = Feeder(store, SearchLimits())
    feeder.most_texts = 5
    feeding.BEHIND, feeding.FIELDS_MOST, feeding.BREATH_S, feeding.BREATHS_S = 10, 40, 0.001, 0.0
    while True:
        feeder.some()


def test_kill_9_leaves_an_index_that_goes_on_where_it_was(tmp_path: Path) -> None:
    room = Mailroom(tmp_path)
    fill(room, 0, 300)
    room.store.close()
    for life in range(6):
        process = FORK.Process(target=feed_until_killed, args=(tmp_path,), daemon=True)
        process.start()
        time.sleep(0.15 + 0.05 * life)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        file = SearchFile(tmp_path)
        fed = file.status().fed
        file.close()
        if room.account.id in fed:
            last, upto = (fed[room.account.id][n] & 0xFFFFFFFF for n in range(2))
            there = rows(tmp_path)
            assert there.pop("from") == there.pop("subject") == last
            assert set(there.values()) == {upto}
            assert not upto or last > 290  # the short fields of all messages come first
    store = Store(tmp_path)
    store.open()
    feeder = Feeder(store, SearchLimits())
    while feeder.some():
        pass
    feeder.close()
    store.close()
    assert set(rows(tmp_path).values()) == {300}


@pytest.fixture
def served(tmp_path):
    """Runs a coroutine function of a room while the service feeds its index."""

    def run(act, limits=None):
        room = Mailroom(tmp_path)

        async def main():
            loop = asyncio.get_running_loop()
            store = Store(tmp_path, post=loop.call_soon_threadsafe)
            store.open()
            store.start()
            work = Work(store, loop)
            stopping = asyncio.Event()
            site = a_site(work, store, time.time, limits=Limits(search=limits or SearchLimits()))
            service = asyncio.create_task(feed_index(site, stopping))
            try:
                await act(room)
            finally:
                stopping.set()
                await service
                work.close()
                await loop.run_in_executor(None, store.close)
                room.store.close()

        asyncio.run(asyncio.wait_for(main(), 60))

    return run


async def until(folder: Path, count: int) -> None:
    """Wait until that many messages are in."""
    file = SearchFile(folder)
    while sum(fed.upto & 0xFFFFFFFF for fed in file.status().fed.values()) != count:
        await asyncio.sleep(0.02)
    file.close()


def test_new_messages_come_in_by_themselves(served, tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "IDLE_S", 0.02)

    async def act(room):
        fill(room, 0, 10)
        await until(tmp_path, 10)
        fill(room, 10, 30)
        await until(tmp_path, 30)
        SearchFile(tmp_path).discard()  # as `mailserver search rebuild` does
        await until(tmp_path, 30)

    served(act)
    assert set(rows(tmp_path).values()) == {30}


def test_a_file_that_is_damaged_is_made_anew(served, tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "IDLE_S", 0.02)
    (tmp_path / "search.db").write_bytes(b"nonsense" * 2_000)

    async def act(room):
        fill(room, 0, 10)
        await until(tmp_path, 10)

    served(act)
    assert (tmp_path / "search.db.damaged").exists()


def test_a_full_index_takes_no_more_and_searches_go_on(served, tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "IDLE_S", 0.02)

    async def act(room):
        fill(room, 0, 10)
        await until(tmp_path, 0)
        await asyncio.sleep(0.1)
        await until(tmp_path, 0)

    served(act, SearchLimits(file_size=1))


def test_a_disk_that_is_full_puts_it_off(served, tmp_path, monkeypatch):
    import apsw

    monkeypatch.setattr(indexing, "IDLE_S", 0.02)
    monkeypatch.setattr(indexing, "AGAIN_S", 0.02)
    real, failures = SearchFile.feed, [apsw.FullError("disk full")] * 3

    def feed(self, portions):
        if failures:
            raise failures.pop()
        real(self, portions)

    monkeypatch.setattr(SearchFile, "feed", feed)

    async def act(room):
        fill(room, 0, 10)
        await until(tmp_path, 10)

    served(act)
    assert not failures


def test_a_message_that_cannot_be_read_is_left_to_the_search(tmp_path, monkeypatch):
    room = Mailroom(tmp_path, threshold=10)
    fill(room, 0, 3)
    (first, *_) = sorted((tmp_path / "blobs").rglob("*"), key=lambda p: p.is_dir())
    first.unlink()
    feeder = Feeder(room.store, SearchLimits())
    while feeder.some():
        pass
    feeder.close()
    file = SearchFile(tmp_path)
    assert len(file.status().partly) == 1
    file.close()
    room.close()


@pytest.mark.parametrize(("is_careful", "is_rush"), [(False, False), (True, False), (True, True)])
def test_it_rests_as_its_pace_says(is_careful, is_rush):
    class Pace:
        def begin(self):
            self.has_begun = True

        def rest(self, own_s):
            assert self.has_begun
            assert 0.01 < own_s < 5
            self.is_careful, self.is_rush = is_careful, is_rush
            return 7.0

    def some():
        start = time.thread_time()
        while time.thread_time() - start < 0.02:
            pass
        return True

    site = SimpleNamespace(work=SimpleNamespace(thread=asyncio.to_thread))
    feeder = SimpleNamespace(some=some, slice_s=1.0, most_texts=1)
    assert asyncio.run(indexing._work(site, feeder, Pace())) == 7.0
    assert feeder.slice_s == (indexing.SHORT_S if is_careful else indexing.SLICE_S)
    assert feeder.most_texts == (indexing.RUSHED if is_rush else indexing.MOST)


def test_texts_wait_while_others_wait_for_their_short_fields(tmp_path, monkeypatch):
    monkeypatch.setattr(feeding, "FIELDS_MOST", 6)
    monkeypatch.setattr(feeding, "BEHIND", 4)
    room = Mailroom(tmp_path)
    fill(room, 0, 14)
    feeder = Feeder(room.store, SearchLimits())
    feeder.most_texts = 3
    seen = []
    while feeder.some():
        fed = feeder._file.fed()[room.account.id]
        seen.append((fed.fields & 0xFFFFFFFF, fed.upto & 0xFFFFFFFF))
    feeder.close()
    room.close()
    assert seen == [(6, 0), (12, 0), (14, 3), (14, 6), (14, 9), (14, 12)]
    assert set(rows(tmp_path).values()) == {14}


def test_a_piece_ends_when_others_press_and_the_next_goes_on(tmp_path):
    """One message a call is the least: who is always pressed gets there all the same."""
    room = Mailroom(tmp_path)
    fill(room, 0, 9)
    feeder = Feeder(room.store, SearchLimits())
    feeder.is_pressed = lambda: True
    calls = 1
    while feeder.some():
        calls += 1
    feeder.close()
    room.close()
    assert 9 <= calls <= 20
    assert set(rows(tmp_path).values()) == {9}


def test_trouble_with_the_disk_is_no_fault_of_a_message(tmp_path, monkeypatch):
    """It comes again later, and the message is indexed then; a fault of ours costs this message alone."""
    room = Mailroom(tmp_path)
    fill(room, 0, 3)
    feeder = Feeder(room.store, SearchLimits())
    texts = Feeder._texts
    failures = [TryLater("disk"), ValueError("a bug")]

    def failing(self, row, tx):
        if failures:
            raise failures.pop(0)
        return texts(self, row, tx)

    monkeypatch.setattr(Feeder, "_texts", failing)
    with pytest.raises(TryLater):
        feeder.some()
    while feeder.some():
        pass
    feeder.close()
    file = SearchFile(tmp_path)
    status = file.status()
    file.close()
    assert list(status.partly.values()) == ["ValueError"]
    assert status.fed[room.account.id].upto & 0xFFFFFFFF == 3
    room.close()


@pytest.mark.parametrize(("name", "most"), [("LONGEST_S", -1.0), ("HELD", 1), ("SLICE_S", 0.0)])
def test_a_piece_of_work_ends_in_time_and_goes_on(tmp_path, monkeypatch, name, most):
    """However little processor time a document takes while another process reads it."""
    monkeypatch.setattr(feeding, name, most)
    room = Mailroom(tmp_path)
    fill(room, 0, 5)
    feeder = Feeder(room.store, SearchLimits())
    feeder.slice_s = 0.0 if name == "SLICE_S" else 60.0
    count = 1
    while feeder.some():
        count += 1
    feeder.close()
    assert count >= 5
    assert set(rows(tmp_path).values()) == {5}
    room.close()
