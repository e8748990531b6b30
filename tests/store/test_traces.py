"""log.db: what is written is found again, and nothing that happens to it stops anybody."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest

from mailserver.base.errors import Corrupt
from mailserver.base.limits import TraceLimits
from mailserver.store import sidewriter, traces
from mailserver.store.trace_values import Copy, Reached, Step, Trace
from mailserver.store.traces import TraceLog, find, forget

GOOD = Trace(
    id="00ff00ff00ff00ff",
    at_ms=1_700_000_000_000,
    took_ms=12,
    is_taken=True,
    listener="smtp",
    session="ab12",
    peer="192.0.2.1",
    helo="client.example",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
    account="",
    sender="Sender@elsewhere.test",
    recipients=(
        Reached("alice@example.test", (1, 2)),
        Reached("jürgen@example.test", (), ("x@remote.test",)),
    ),
    message_id="<Abc@elsewhere.test>",
    size=1_234,
    steps=(Step("data", "loop", "1 hops"),),
    copies=(Copy(1, 2, 3, 4),),
    queued=(7,),
    omitted=0,
    reply="250 2.0.0 Taken",
)


@contextmanager
def writing(folder: Path, limits: TraceLimits | None = None) -> Iterator[TraceLog]:
    log = TraceLog(folder, limits or TraceLimits())
    log.start()
    try:
        yield log
    finally:
        log.close()


def until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "name",
    [
        "00ff00ff00ff00ff",
        "00FF00FF00FF00FF",
        "<Abc@elsewhere.test>",
        "sender@ELSEWHERE.test",
        "alice@example.test",
        "jürgen@example.test",
        "x@remote.test",
        "192.0.2.1",
    ],
)
def test_every_name_of_a_message_finds_it_whole(tmp_path: Path, name: str) -> None:
    with writing(tmp_path) as log:
        log.keep(GOOD)
        log.keep(GOOD._replace(id="1" * 16, **OTHERS))
    assert [trace for _, trace in find(tmp_path, name)] == [GOOD]


def test_who_was_refused_finds_it(tmp_path: Path) -> None:
    step = Step("rcpt", "recipient", "", "550 5.1.1 no such user here", "Nobody@example.test")
    with writing(tmp_path) as log:
        log.keep(GOOD._replace(steps=(step,)))
    assert [trace.steps for _, trace in find(tmp_path, "nobody@example.test")] == [(step,)]


OTHERS = {"sender": "", "recipients": (), "message_id": "", "peer": ""}


def test_empty_names_find_nothing(tmp_path: Path) -> None:
    with writing(tmp_path) as log:
        log.keep(GOOD._replace(id="", **OTHERS))
    assert find(tmp_path, "") == []
    assert find(tmp_path / "nowhere", "x") == []


def test_newest_first_page_by_page(tmp_path: Path) -> None:
    with writing(tmp_path) as log:
        for n in range(25):
            log.keep(GOOD._replace(id=f"{n:016x}", at_ms=1_000 * n))
    first = find(tmp_path, "alice@example.test", limit=10)
    assert [t.id[-2:] for _, t in first] == [f"{n:02x}" for n in range(24, 14, -1)]
    second = find(tmp_path, "alice@example.test", limit=10, after=first[-1][0])
    assert [t.at_ms for _, t in second] == [1_000 * n for n in range(14, 4, -1)]
    assert len(find(tmp_path, "alice@example.test", since_ms=20_000, limit=10)) == 5


def test_several_processes_write_one_file(tmp_path: Path) -> None:
    def work(worker: int) -> None:
        with writing(tmp_path) as log:
            for n in range(300):
                log.keep(GOOD._replace(id=f"{worker}-{n}"))
                if n % 100 == 0:
                    time.sleep(0.05)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {trace.id for _, trace in find(tmp_path, "192.0.2.1", limit=5_000)}
    assert found == {f"{worker}-{n}" for worker in range(4) for n in range(300)}


def test_what_cannot_be_text_does_not_stop_the_rest(tmp_path: Path) -> None:
    with writing(tmp_path) as log:
        log.keep(GOOD._replace(message_id="<\udcff@x>", sender="\ud800@x", helo="\udcff"))
        log.keep(GOOD)
    assert len(find(tmp_path, "alice@example.test")) == 2


def test_too_old(tmp_path: Path) -> None:
    limits = TraceLimits(age_days=100 / 86_400)
    assert forget(tmp_path, limits, 0) == 0
    with writing(tmp_path) as log:
        for n in range(1_200):
            log.keep(GOOD._replace(id=f"{n:016x}", at_ms=1_000 * n))
    removed = []
    while count := forget(tmp_path, limits, 1_100_000):
        removed.append(count)
    assert removed == [500, 500]
    left = find(tmp_path, "alice@example.test", limit=5_000)
    assert [t.at_ms for _, t in left] == [1_000 * n for n in range(1_199, 999, -1)]
    db = apsw.Connection(str(tmp_path / "log.db"))
    assert list(db.execute("SELECT count(*) FROM trace_address")) == [(200 * 5,)]


def test_the_file_stays_within_its_size_and_refusals_make_room_first(tmp_path: Path) -> None:
    limits = TraceLimits(size=1_000_000, waiting=1_000_000)
    with writing(tmp_path, limits) as log:
        for n in range(500):
            log.keep(GOOD._replace(id=f"good-{n}"))
        for n in range(20_000):
            log.keep(GOOD._replace(id=f"bad-{n}", is_taken=False))
    good = [t for _, t in find(tmp_path, "alice@example.test", limit=50_000) if t.is_taken]
    assert len(good) == 500
    (pages,) = next(apsw.Connection(str(tmp_path / "log.db")).execute("PRAGMA page_count"))
    assert pages * 4_096 < 2_500_000
    assert find(tmp_path, "bad-19999")


@pytest.mark.parametrize("damage", ["text", "middle", "version"])
def test_a_damaged_file_is_put_aside(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidewriter, "RETRY_S", 0.05)
    with writing(tmp_path) as log:
        for n in range(2_000):
            log.keep(GOOD._replace(id=f"{n:016x}"))
    path = tmp_path / "log.db"
    if damage == "text":
        path.write_bytes(b"this is not a database" * 1_000)
    elif damage == "middle":
        octets = bytearray(path.read_bytes())
        octets[4_096:-4_096] = b"\xaa" * (len(octets) - 8_192)
        path.write_bytes(octets)
    else:
        db = apsw.Connection(str(path))
        db.execute("PRAGMA user_version = 99")
        db.close()

    def is_there() -> bool:
        with suppress(Corrupt):
            return bool(find(tmp_path, "new"))
        return False

    assert not is_there()
    with writing(tmp_path) as log:
        log.keep(GOOD._replace(id="new"))
        until(is_there)
    assert (tmp_path / "log.db.damaged").exists()


def test_a_file_that_another_process_put_aside_is_left_for_the_new_one(tmp_path: Path) -> None:
    with writing(tmp_path) as log:
        log.keep(GOOD._replace(id="one"))
        until(lambda: bool(find(tmp_path, "one")))
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"log.db{suffix}").replace(tmp_path / f"away{suffix}")
        log.keep(GOOD._replace(id="two"))
        until(lambda: bool(find(tmp_path, "two")))
        log.keep(GOOD._replace(id="three"))
    assert find(tmp_path, "three")
    assert not find(tmp_path, "one")


def test_a_full_disk_costs_traces_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sidewriter, "RETRY_S", 0.05)
    is_full = True
    add = traces._add

    def fails(*args: object) -> None:
        if is_full:
            raise apsw.FullError("database or disk is full")
        add(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(traces, "_add", fails)
    with writing(tmp_path, TraceLimits(waiting=60)) as log:
        for n in range(100):
            log.keep(GOOD._replace(id=f"{n:016x}"))
        until(lambda: "traces cannot be written" in caplog.text)
        assert log.waiting == 12
        is_full = False
        until(lambda: bool(find(tmp_path, f"{99:016x}")))
    assert [t.id for _, t in find(tmp_path, "alice@example.test", limit=200)] == [
        f"{n:016x}" for n in range(99, 87, -1)
    ]
    assert "traces dropped" in caplog.text


def test_a_folder_that_nobody_can_write_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log.db").mkdir()
    with writing(tmp_path) as log:
        log.keep(GOOD)
        until(lambda: "traces cannot be written" in caplog.text)
    assert find(tmp_path, "alice@example.test") == []


def test_keeping_is_cheap(tmp_path: Path) -> None:
    """Far above what it takes, so that a busy machine does not fail it: a µs or two."""
    log = TraceLog(tmp_path, TraceLimits())
    begin = time.thread_time()
    for _ in range(1_000):
        log.keep(GOOD)
    assert time.thread_time() - begin < 0.05
