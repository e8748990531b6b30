"""kill -9 of the whole process group while many clients work: what was answered is kept, exactly once (P1, P2, P3).

Three rounds by default; MAILSERVER_TESTS=full makes it 20.
"""

import os
import random  # noqa: TID251 - seeded: the moments of the kills are the same each time
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crash.checks import check_answers, check_files
from crash.clients import Crowd
from crash.ledger import Ledger
from outside.mail import message, stored
from outside.meter import tree, wait_until
from outside.server import Ours
from outside.wire import Gone, Imap, Smtp


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> Iterator[Ours]:
    server = Ours(workers=request.param, count=4)
    server.create()
    yield server
    server.discard()


@pytest.mark.parametrize("ours", ["1", "2"], indirect=True, ids=["one worker", "two workers"])
@pytest.mark.rfc(5321, "6.1")
@pytest.mark.rfc(9051, "2.3.1.1")
def test_what_was_answered_survives_kills(ours: Ours, full: Callable[[int, int], int]) -> None:
    dice, ledger, rounds = random.Random(11), Ledger(), full(3, 20)
    for turn in range(rounds):
        ours.start()
        if turn:
            check_answers(ours, ledger)
        crowd = Crowd(ours, ledger, turn)
        crowd.start()
        time.sleep(0.6 + dice.random())
        everyone = tree(ours.roots())
        ours.kill()
        crowd.join()
        assert not crowd.problems, f"{crowd.problems[:5]}\n{ours.tail()}"
        assert wait_until(
            lambda all_=everyone: not any(Path(f"/proc/{p}").exists() for p in all_), 5
        )
        check_files(ours)
    ours.start()
    check_answers(ours, ledger)
    assert ours.stop() == 0
    check_files(ours)
    count = ledger.count()
    print(f"{rounds} kills: {dict(count)}")
    for what in ("accepted", "appended", "copied", "moved", "flagged"):
        assert count[what] > 10 * rounds, f"too little happened to prove anything: {dict(count)}"
    assert ledger.moving


@pytest.mark.parametrize("ours", ["2"], indirect=True)
def test_a_killed_worker_is_replaced(ours: Ours) -> None:
    ours.start()
    account = ours.accounts[0]
    with Smtp(ours) as smtp:
        smtp.hello()
        smtp.send([account.address], message("before"))
    (root,) = ours.roots()
    workers = tree([root]) - {root}
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)

    def is_back() -> bool:
        try:
            return len(stored(ours, account)) == 1 and len(tree([root])) == 3
        except (OSError, Gone):
            return False

    assert wait_until(is_back, 20), ours.tail()
    with Smtp(ours) as smtp:
        smtp.hello()
        smtp.send([account.address], message("after"))
    assert len(stored(ours, account)) == 2
    assert ours.stop() == 0


@pytest.mark.parametrize("ours", ["1", "2"], indirect=True, ids=["one worker", "two workers"])
def test_sigterm_finishes_what_was_begun(ours: Ours) -> None:
    """The transaction in progress is answered, IDLE hears BYE, and the server ends within 25 s with status 0."""
    ours.start()
    account = ours.accounts[0]
    imap = Imap(ours, account)
    imap.select("INBOX")
    imap.wire.send(b"i IDLE\r\n")
    assert imap.wire.line().startswith(b"+")
    smtp = Smtp(ours)
    smtp.hello()
    smtp.envelope([account.address])
    started = time.monotonic()
    assert ours.process is not None
    ours.process.send_signal(signal.SIGTERM)
    assert imap.wire.line().startswith(b"* BYE")
    raw = message("in the middle")
    smtp.wire.send(raw[:100])
    time.sleep(0.2)
    smtp.wire.send(raw[100:] + b".\r\n")
    code, _ = smtp.reply()
    assert ours.process.wait(25) == 0
    assert time.monotonic() - started < 25
    ours.start()
    held = len(stored(ours, account))
    assert held == (1 if code == 250 else 0)
    assert code in (250, 421)
    assert ours.stop() == 0
