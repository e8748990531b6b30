"""Short words for what tests do with the queue."""

from collections.abc import Callable
from itertools import count
from typing import Any

from mailserver.base.ids import AccountId, QueuedId, RecipientId
from mailserver.store.queue_values import (
    AtOnce,
    Attempt,
    Claimed,
    Entered,
    NewQueued,
    NewRecipient,
    Result,
)
from mailserver.store.spool import body_of
from mailserver.store.tx import Read, Write
from store.world import NOW, World

_number = count(1)

REFUSED = Attempt(NOW, 120, "mx.b.test", "192.0.2.1", "", 450, "4.2.1", "not now")


def attempt(status: str = "4.2.1", reply: str = "not now") -> Attempt:
    return REFUSED._replace(status=status, reply=reply)


class Post:
    """The queue of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store

    def adding(
        self,
        *addresses: str,
        raw: bytes | None = None,
        destination: str | None = None,
        sender: str = "alice@example.test",
        account: AccountId | None = None,
        origin: str = "submitted",
        release_at: int | None = None,
        trace: str | None = None,
        threshold: int = 131_072,
        skip: int = 0,
        prefix: bytes = b"",
        at_once: AtOnce | None = None,
    ) -> Callable[[Write], Entered]:
        """A job that enters it."""
        number = next(_number)
        raw = b"Subject: %d\r\n\r\nhello\r\n" % number if raw is None else raw
        prepared = self.store.prepare(body_of(raw), threshold)
        new = NewQueued(
            trace=trace or f"t{number}",
            account=account,
            sender=sender,
            blob=None,  # type: ignore[arg-type]  # put in the job
            skip=skip,
            prefix=prefix,
            size=len(prefix) + len(raw) - skip,
            origin=origin,
            notices_to=None,
            is_8bit=False,
            is_utf8=False,
            needs_tls=False,
            ret="",
            envid="",
            message_id=f"<{number}@example.test>",
            subject=f"subject {number}",
            release_at=release_at,
            warn_at=None,
            expires_at=NOW + 432_000,
        )
        to = [
            NewRecipient(address, domain, destination or domain)
            for address in addresses
            for domain in [address.rpartition("@")[2]]
        ]

        return lambda tx: tx.queue.enter(new._replace(blob=tx.blobs.put(prepared)), to, at_once)

    def add(self, *addresses: str, **more: Any) -> QueuedId:
        return self.enter(*addresses, **more).id

    def enter(self, *addresses: str, **more: Any) -> Entered:
        return self.store.write_now(self.adding(*addresses, **more))

    def take_over(self, runner: str = "me") -> AtOnce:
        """A runner comes, who is quick with mail for these destinations."""
        self.store.write_now(lambda tx: tx.queue.take_over(runner))
        return AtOnce(runner, frozenset({"b.test", "c.test"}))

    def claim(self, most: int = 100, destinations: int = 100) -> list[Claimed]:
        """What a runner would get that asks for everything."""

        def job(tx: Write) -> list[Claimed]:
            due = tx.queue.due(tx.now, destinations)
            return tx.queue.claim([(one.destination, most) for one in due])

        return self.store.write_now(job)

    def settle(self, *results: Result) -> list:
        return self.store.write_now(lambda tx: tx.queue.settle(results))

    def due(self, at: int = NOW) -> list[str]:
        return [one.name for one in self.store.read_now(lambda tx: tx.queue.due(at, 1000))]

    def next_due(self) -> int | None:
        return self.store.read_now(lambda tx: tx.queue.next_due())

    def rows(self, sql: str, *values: object) -> list[tuple]:
        def job(tx: Read) -> list[tuple]:
            return tx.settings._db.rows(sql, values)

        return self.store.read_now(job)

    def states(self) -> dict[str, str]:
        return dict(self.rows("SELECT address, state FROM queued_recipient ORDER BY id"))

    def blobs(self) -> int:
        return self.rows("SELECT count(*) FROM blob")[0][0]

    def problems(self) -> list[str]:
        return self.store.read_now(lambda tx: tx.verify.problems())


def ids(claimed: list[Claimed]) -> list[RecipientId]:
    return [recipient.id for one in claimed for recipient in one.recipients]
