"""How far a long command has come (RFC 9585)."""

import pytest

from imap.engine import House, logged_in
from mailserver.imap.progress import EVERY_S, Progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(house: House) -> Clock:
    house.server.clock = clock = Clock()
    return clock


def said(progress: Progress, done: int) -> str:
    return b"".join(progress.due(done)).decode()


@pytest.mark.rfc(9585, "4")
def test_said_now_and_then(house: House, clock: Clock) -> None:
    session = logged_in(house).session
    session.tag = b"A001"
    progress = Progress(session, 1000)
    assert said(progress, 0) == ""
    clock.now += EVERY_S - 1
    assert said(progress, 400) == ""
    clock.now += 1
    assert said(progress, 454) == '* OK [INPROGRESS ("A001" 454 1000)] 454 of 1000 done.\r\n'
    assert said(progress, 455) == ""
    clock.now += EVERY_S
    assert said(progress, 1000) == "", "the number stays below the goal"
    assert said(progress, 999).startswith('* OK [INPROGRESS ("A001" 999 1000)]')


@pytest.mark.rfc(9585, "4")
@pytest.mark.parametrize(("tag", "told"), [(b"a]b", "NIL"), (b"a'b", '"a\'b"'), (b"", "NIL")])
def test_goal_and_tag_may_be_unknown(house: House, clock: Clock, tag: bytes, told: str) -> None:
    session = logged_in(house).session
    session.tag = tag
    progress = Progress(session)
    clock.now += EVERY_S
    assert said(progress, 7) == f"* OK [INPROGRESS ({told} 7 NIL)] 7 done.\r\n"


def test_dispatch_says_whose_command_it_is(house: House) -> None:
    client = logged_in(house)
    client(b"t123 NOOP\r\n")
    assert client.session.tag == b"t123"
