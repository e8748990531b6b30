"""The loop around the engine with a made-up peer and store: whatever comes, nothing is left behind."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailserver.base.errors import TryLater
from mailserver.base.ids import AccountId, MailboxId, MessageId, ModSeq, ThreadId, Uid
from mailserver.base.limits import ConnectionLimits, Limits, SmtpLimits
from mailserver.base.log import Log
from mailserver.base.rate_limits import RatesLimits
from mailserver.mta.deliver import Delivered, Filed
from mailserver.mta.rates import Rates
from mailserver.mta.route import Route, Target
from mailserver.sasl.registry import Channel
from mailserver.servers.guard import Guard
from mailserver.servers.handover import Handover
from mailserver.servers.hub import Hub
from mailserver.servers.limits import Budget
from mailserver.servers.names import Names
from mailserver.servers.smtp import Smtp
from mailserver.servers.upstream import NOBODY
from mailserver.store.blobs import prepare
from mailserver.store.values import Placed

ALICE = Target(AccountId(1), MailboxId(1), None, 0, 100_000)
FILED = Filed(ALICE, Placed(Uid(1), MessageId(1), ThreadId(1), ModSeq(1)))
LIMITS = Limits(
    smtp=SmtpLimits(message_size=5_000, error_delay_s=0.0),
    connections=ConnectionLimits(spool_memory=200),
)
LINES = st.sampled_from(
    [
        b"EHLO a", b"MAIL FROM:<a@b.c>", b"MAIL FROM:<> SIZE=100", b"RCPT TO:<alice@example.test>", b"DATA", b"RSET",
        b"NOOP", b"QUIT", b"AUTH PLAIN AGEAYg==", b"AUTH LOGIN", b"YQ==", b".", b"..", b"From: a@b.c", b"", b" x",
        b"x" * 300, b"\x00", b"a\nb", b"VRFY a", b"BDAT 5", b"BDAT 12 LAST", b"BDAT 0 LAST", b"BDAT 6000", b"BDAT x",
    ]
)  # fmt: skip
SESSION = st.lists(LINES, max_size=30).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
ENVELOPE = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"


class Peer:
    """A stream whose other end says *wire* in pieces and goes."""

    peer = local = "127.0.0.1"
    is_tls = at_end = has_input = False
    must_drain = True
    tls, encryption = None, ""
    timeout_s = 0.0

    def __init__(self, wire: bytes, chop: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.pieces = [wire[i : i + chop] for i in range(0, len(wire), chop)]
        self.heard = b""

    async def ready(self) -> bool:
        return True

    def take(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data: bytes) -> None:
        self.heard += data

    async def drain(self) -> None:
        await asyncio.sleep(0)


class Storage:
    """Work without a store: everybody is alice, everything is filed."""

    def __init__(self) -> None:
        self.filed = 0

    async def read(self, job: Any) -> Any:
        return Route((ALICE,))

    async def write(self, job: Any, is_pure: bool = False, then: Any = None) -> Any:
        self.filed += 1
        return Delivered([FILED], [], [])

    async def prepare(self, body: Any, threshold: int) -> Any:
        return prepare(Path("/nowhere"), body, threshold)

    async def thread(self, act: Any) -> Any:
        return act()


def context_of(spool: Path, storage: Storage, room: int) -> Any:
    """What a session asks of its server."""
    return SimpleNamespace(
        hostname="mx.example.test",
        limits=LIMITS,
        work=storage,
        hub=Hub(),
        memory=Budget(room),
        stopping=asyncio.Event(),
        now=time.time,
        spool=spool,
        may_log_in=lambda stream: False,
        channel=lambda stream: Channel(is_private=False),
        name=Names(),
        handover=Handover(),
        keep_trace=lambda trace: None,
        hides_clients=False,
        primaries=None,
        upstream=NOBODY,
        resolver=None,
        guard=Guard(Rates(RatesLimits()), time.time),
    )


def converse(
    spool: Path, wire: bytes, chop: int, storage: Any = None, room: int = 1_000
) -> tuple[bytes, Storage, Budget]:
    async def main() -> tuple[bytes, Storage, Budget]:
        context = context_of(spool, storage or Storage(), room)
        peer: Any = Peer(wire, chop)
        guest: Any = SimpleNamespace(log=Log("smtp"))
        await Smtp().receive(peer, context, guest)
        return peer.heard, context.work, context.memory

    return asyncio.run(main())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.one_of(
        SESSION,
        SESSION.map(lambda wire: ENVELOPE + wire),
        SESSION.map(lambda wire: ENVELOPE.replace(b"DATA", b"BDAT 30") + wire),
        st.binary(max_size=100),
    ),
    st.integers(1, 400),
)
def test_nothing_is_left_behind(tmp_path: Path, wire: bytes, chop: int) -> None:
    heard, storage, memory = converse(tmp_path, wire, chop)
    assert memory.used == 0
    assert list(tmp_path.iterdir()) == []
    assert heard.startswith(b"220 ")
    assert heard.count(b"250 2.0.0 Taken as ") == storage.filed


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (TryLater("The storage is not available."), b"452 4.3.1 "),
        (OSError(5, "Input/output error"), b"452 4.3.1 "),
        (ZeroDivisionError(), b"451 4.3.0 "),
    ],
)
def test_a_store_that_fails_gets_a_4xx_and_no_250(
    tmp_path: Path, error: Exception, reply: bytes
) -> None:
    class Broken(Storage):
        async def write(self, job: Any, is_pure: bool = False, then: Any = None) -> Any:
            raise error

    for content in (b"small", b"x" * 1_000):
        heard, _, memory = converse(
            tmp_path, ENVELOPE + content + b"\r\n.\r\nQUIT\r\n", 10_000, Broken()
        )
        *_, answer, goodbye, _ = heard.split(b"\r\n")
        assert answer.startswith(reply)
        assert goodbye.startswith(b"221 ")
        assert memory.used == 0
        assert list(tmp_path.iterdir()) == []


def test_a_directory_that_fails_refuses_the_recipient_for_now(tmp_path: Path) -> None:
    class Broken(Storage):
        async def read(self, job: Any) -> Any:
            raise TryLater("The storage is not available.")

    heard, _, _ = converse(tmp_path, ENVELOPE, 10_000, Broken())
    assert (
        b"\r\n451 4.3.0 Local trouble, try again later\r\n554 5.5.1 No valid recipients\r\n"
        in heard
    )


def test_a_disk_that_fails_at_data_is_said_before_the_message_comes(tmp_path: Path) -> None:
    """Without memory for it the message would begin in a file, and there is no folder for that."""
    wire = ENVELOPE.replace(b"<>", b"<> SIZE=4000") + b"QUIT\r\n"
    heard, storage, memory = converse(tmp_path / "gone", wire, 10_000, room=0)
    assert b"\r\n452 4.3.1 Storage is not available" in heard
    assert b"\r\n354 " not in heard
    assert storage.filed == memory.used == 0


def test_a_session_that_is_cancelled_in_the_middle_of_a_write_waits_for_it(tmp_path: Path) -> None:
    """A file must not be closed under a thread that writes into it: its number may be another file's by then."""
    events: list[str] = []

    class Slow(Storage):
        async def thread(self, act: Any) -> Any:
            events.append("writing")
            await asyncio.sleep(0.05)
            result = act()
            events.append("written")
            return result

    async def main() -> None:
        context = context_of(tmp_path, Slow(), 1_000)
        peer: Any = Peer(ENVELOPE + b"x" * 1_000, 10_000)
        guest: Any = SimpleNamespace(log=Log("smtp"))
        task = asyncio.ensure_future(Smtp().receive(peer, context, guest))
        while not events:
            await asyncio.sleep(0.001)
            assert not task.done(), task.exception()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert events == ["writing", "written"]
        assert context.memory.used == 0

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []
