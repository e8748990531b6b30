"""Asking primary servers about addresses."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailserver.base.limits import CalloutLimits, OutboundLimits
from mailserver.mta.security import OPPORTUNISTIC
from mailserver.net.callout import Asking, Callouts, Unreachable, Verdict, judge
from mailserver.net.dialer import Dialer
from mailserver.net.smtp import Hop
from mailserver.smtp.outgoing import Answer, HopError, Stage
from mailserver.smtp.reply import Reply
from misbehaving import DROP, SILENCE, NextHop, Slow

LIMITS = CalloutLimits(total_s=2, questions=3, per_domain=2)


def reaching(hop: NextHop) -> Callable[[str], Awaitable[Asking]]:
    async def reach(domain: str) -> Asking:
        dialer = Dialer("backup.example", OutboundLimits(quit_s=0.2))
        try:
            return await dialer.connect(Hop(domain, hop.address, hop.port), OPPORTUNISTIC)
        except HopError as error:
            raise Unreachable(str(error.answer.reply)) from error

    return reach


def ask(hop: NextHop, *addresses: str) -> list[Verdict]:
    async def go() -> list[Verdict]:
        callouts = Callouts(LIMITS, reaching(hop))
        found = await asyncio.gather(
            *(callouts.ask(address, address.partition("@")[2]) for address in addresses)
        )
        await asyncio.sleep(0.05)
        return found

    return asyncio.run(go())


def test_known_and_unknown() -> None:
    with NextHop({"RCPT": lambda _hop, line: "550 5.1.1 No" if b"nobody" in line else None}) as hop:
        known, unknown = ask(hop, "c@d.example", "nobody@d.example")
    assert known.is_known is True
    assert (unknown.is_known, unknown.reply.status) == (False, "5.1.1")
    assert b"MAIL FROM:<>" in hop.commands
    assert not hop.unanswered


@pytest.mark.parametrize(
    "behaviour",
    [
        {"RCPT": DROP},
        {"RCPT": SILENCE},
        {"RCPT": "450 4.2.0 Greylisted"},
        {"RCPT": "554 5.7.1 Relaying denied"},
        {"RCPT": b"\x00\r\n"},
        {"MAIL": "550 5.7.1 Not from nobody"},
        {"GREETING": "554 5.3.2 No"},
        {"GREETING": SILENCE},
    ],
)
def test_undecided(behaviour: dict[str, object]) -> None:
    with NextHop(behaviour) as hop:
        (verdict,) = ask(hop, "c@d.example")
    assert verdict.is_known is None
    assert verdict.reply.text


def test_one_question_for_many_and_not_too_many() -> None:
    with NextHop({"RCPT": Slow(0.2)}) as hop:
        same = ask(hop, *["c@d.example"] * 5)
        assert hop.connections == 1
        one, two, three = ask(hop, "a@d.example", "b@d.example", "c@d.example")
        *_, other = ask(hop, "a@d.example", "b@d.example", "a@e.example", "a@f.example")
    assert {verdict.is_known for verdict in same} == {True}
    assert (one.is_known, two.is_known, three.is_known) == (True, True, None)
    assert other.is_known is None


@pytest.mark.parametrize(
    ("answer", "is_known"),
    [
        (Answer(Reply(250, "2.1.5", ""), Stage.RCPT), True),
        (Answer(Reply(251, "2.1.5", ""), Stage.RCPT), True),
        (Answer(Reply(550, "5.0.0", ""), Stage.RCPT), False),
        (Answer(Reply(553, "5.6.7", ""), Stage.MAIL, is_ours=True), None),
        (Answer(Reply(550, "5.4.6", ""), Stage.RCPT), None),
        (Answer(Reply(451, "4.0.0", ""), Stage.RCPT), None),
    ],
)
def test_what_a_reply_says(answer: Answer, is_known: bool | None) -> None:
    assert judge(answer).is_known is is_known
