"""How much memory the content of a message gets while it comes, and when it goes into a file."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailserver.base.limits import ConnectionLimits, Limits
from mailserver.mta.receive import Transaction
from mailserver.mta.trace import Client
from mailserver.servers.limits import Budget
from mailserver.servers.smtp_content import FIRST, Intake
from mailserver.smtp import events
from mailserver.smtp.address import Address

MOST = 8 * FIRST


class Threads:
    """Counts what would have been done in a thread."""

    def __init__(self) -> None:
        self.acts = 0

    async def thread(self, act: Any) -> Any:
        self.acts += 1
        return act()


def intake_of(folder: Path, room: int) -> tuple[Intake, Transaction, Budget, Threads]:
    memory, threads = Budget(room), Threads()
    context: Any = SimpleNamespace(
        limits=Limits(connections=ConnectionLimits(spool_memory=MOST)),
        memory=memory,
        spool=folder,
        hostname="mx.example.test",
        now=time.time,
        hides_clients=False,
        work=threads,
    )
    transaction = Transaction(
        "t1", Client("192.0.2.1"), events.Mail(Address("a", "b.test"), None, None, False), None
    )
    transaction.recipients.append(events.Recipient(Address("alice", "example.test")))
    intake = Intake(context)
    intake.begin(transaction)
    return intake, transaction, memory, threads


def fed(intake: Intake, transaction: Transaction, pieces: int) -> bytes:
    async def feed() -> None:
        for n in range(pieces):
            await intake.write(transaction, b"%d" % (n % 10) * FIRST)
        await intake.write(transaction, b"", is_last=True)

    asyncio.run(feed())
    return b"".join(b"%d" % (n % 10) * FIRST for n in range(pieces))


def test_a_large_message_gets_more_memory_as_it_comes(tmp_path: Path) -> None:
    intake, transaction, memory, threads = intake_of(tmp_path, 100 * FIRST)
    assert memory.used == FIRST
    content = fed(intake, transaction, 5)
    assert threads.acts == 0
    assert list(tmp_path.iterdir()) == []
    body = transaction.finish()
    assert body.data is not None
    assert body.data.endswith(content)
    assert len(content) < memory.used <= MOST
    intake.end()
    assert memory.used == 0


@pytest.mark.parametrize("room", [100 * FIRST, 8 * FIRST, FIRST, 0])
def test_what_is_too_large_for_the_memory_there_is_goes_on_in_a_file(tmp_path, room: int) -> None:
    intake, transaction, memory, threads = intake_of(tmp_path, room)
    content = fed(intake, transaction, 12)
    assert threads.acts > 0
    assert memory.used <= max(room // 2, min(room, FIRST))
    assert len(list(tmp_path.iterdir())) == 1
    body = transaction.finish()
    assert body.data is None
    assert bytes(body.view()).endswith(content)
    body.discard()
    intake.end()
    assert memory.used == 0
    assert list(tmp_path.iterdir()) == []


def test_a_message_in_a_file_takes_no_memory_that_gets_free_meanwhile(tmp_path: Path) -> None:
    intake, transaction, memory, threads = intake_of(tmp_path, 8 * FIRST)
    assert memory.take(6 * FIRST)  # by others
    content = fed(intake, transaction, 2)
    memory.give(6 * FIRST)
    assert transaction.is_in_file
    before, acts = memory.used, threads.acts
    content += fed(intake, transaction, 2)
    assert memory.used == before
    assert threads.acts > acts
    body = transaction.finish()
    assert bytes(body.view()).endswith(content)
    body.discard()
    intake.end()
