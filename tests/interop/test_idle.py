"""Two worker processes: what one takes in, IDLE clients of both hear at once."""

import selectors
import time
from collections.abc import Iterator

import pytest

from outside.mail import message
from outside.server import Account, Ours, running
from outside.wire import Imap, Smtp

IDLERS = 40  # connections, of which the kernel gives each worker about half


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Ours]:
    with running(workers="2", count=4) as ours:
        yield ours


def idle(server: Ours, account: Account) -> Imap:
    imap = Imap(server, account)
    imap.select("INBOX")
    imap.wire.send(b"i IDLE\r\n")
    assert imap.wire.line().startswith(b"+")
    return imap


def until_all_heard(idlers: list[Imap], wanted: bytes) -> list[float]:
    """Seconds from now until each idler was sent *wanted*, in the order of hearing."""
    start, waits, left = time.perf_counter(), [], selectors.DefaultSelector()
    for imap in idlers:
        left.register(imap.wire.socket, selectors.EVENT_READ, imap)
    while left.get_map():
        for key, _ in left.select(30):
            if wanted in key.data.wire.line():
                waits.append(time.perf_counter() - start)
                left.unregister(key.fileobj)
        assert time.perf_counter() - start < 30, (
            f"{len(left.get_map())} of {len(idlers)} heard nothing"
        )
    left.close()
    return waits


@pytest.mark.rfc(2177, "3")
def test_every_idler_of_every_worker_hears_of_each_delivery(two_workers: Ours) -> None:
    account = two_workers.account()
    idlers = [idle(two_workers, account) for _ in range(IDLERS)]
    waits: list[float] = []
    for n in range(1, 11):
        with Smtp(two_workers) as smtp:  # each time another connection, now here, now there
            smtp.hello()
            smtp.send([account.address], message(f"number {n}"))
        waits += until_all_heard(idlers, b"* %d EXISTS" % n)
    waits.sort()
    print(
        f"250 to EXISTS: middle {waits[len(waits) // 2] * 1e3:.1f} ms, last {waits[-1] * 1e3:.1f} ms"
    )
    assert waits[len(waits) // 2] < 0.05
    assert waits[-1] < 2
    for imap in idlers:
        imap.wire.send(b"DONE\r\n")
        while not imap.wire.line().startswith(b"i OK"):
            pass
        imap.close()


@pytest.mark.rfc(3501, "7.4.1")
def test_flags_and_expunges_reach_the_other_worker(two_workers: Ours) -> None:
    account = two_workers.account()
    with Imap(two_workers, account) as writer:
        for n in range(5):
            writer.append("INBOX", message(f"number {n}"))
        idlers = [idle(two_workers, account) for _ in range(10)]
        writer.select("INBOX")
        writer.ok("STORE 2 +FLAGS (\\Flagged)")
        until_all_heard(idlers, b"* 2 FETCH")
        writer.ok("STORE 4 +FLAGS.SILENT (\\Deleted)")
        until_all_heard(idlers, b"* 4 FETCH")
        writer.ok("EXPUNGE")
        until_all_heard(idlers, b"* 4 EXPUNGE")
        for imap in idlers:
            imap.close()


def test_connections_reach_both_workers(two_workers: Ours) -> None:
    """Otherwise the tests above would prove nothing."""
    for _ in range(30):
        with Imap(two_workers) as imap:
            imap.ok("NOOP")
            imap.ok(
                f'LOGIN "{two_workers.accounts[3].address}" "{two_workers.accounts[3].password}"'
            )
    pids = {
        line.partition('"pid": ')[2].split(",")[0]
        for line in two_workers.log.read_text().splitlines()
        if "logged in" in line
    }
    assert len(pids) == 2
