"""What a next hop said, turned into what is written down: results, retries, suppressions, the destination's rest.

Spec: RFC 5321 §4.2.1, §4.5.4.1.  Status: complete.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailserver.base.ids import DestinationId
from mailserver.jobs.books import Books, Entry
from mailserver.jobs.parcels import Parcel, given_back, result
from mailserver.jobs.reaching import Try
from mailserver.jobs.registry import Site
from mailserver.mta import relay, schedule
from mailserver.net.smtp import OutboundConnection
from mailserver.smtp.outgoing import Answer, Stage
from mailserver.smtp.reply import Reply
from mailserver.store.queue_values import (
    DEFERRED,
    EXPIRED,
    FAILED,
    Attempt,
    QueuedRecipient,
    Result,
    Settled,
)
from mailserver.store.tx import Write

OUR_FAULT = Answer(
    Reply(451, "4.3.0", "This server failed to send the message; it will try again"),
    Stage.CONNECT,
    is_ours=True,
)
BROKEN_OFF = Answer(
    Reply(421, "4.4.2", "This server was stopped while it sent the message"),
    Stage.END,
    is_ours=True,
)


class Said(NamedTuple):
    """An answer about one recipient, and whose it was."""

    recipient: QueuedRecipient
    answer: Answer
    host: str
    address: str
    tls: str
    stage: str  # the answer's, or "dns"

    @property
    def verdict(self) -> relay.Verdict:
        """What it means."""
        answer = self.answer
        return relay.judge(
            answer.stage, answer.reply.code, answer.reply.status, is_ours=answer.is_ours
        )


def of_connection(
    connection: OutboundConnection,
    recipients: Sequence[QueuedRecipient],
    answers: Iterable[Answer],
) -> list[Said]:
    """The answers of a server to one transaction."""
    hop, tls = connection.hop, str(connection.tls or "")
    return [
        Said(recipient, answer, hop.host, hop.address, tls, answer.stage)
        for recipient, answer in zip(recipients, answers, strict=True)
    ]


def of_try(recipients: Iterable[QueuedRecipient], one: Try) -> list[Said]:
    """The same answer for all, from a host that took no connection."""
    stage = "dns" if one.is_dns else one.answer.stage
    return [Said(r, one.answer, one.host, one.address, "", stage) for r in recipients]


class Outcomes:
    """Writes down what became of the parcels of one destination."""

    __slots__ = ("_books", "_destination", "_limits", "_site")

    def __init__(self, site: Site, books: Books, destination: DestinationId) -> None:
        self._site = site
        self._books = books
        self._destination = destination
        self._limits = site.limits.queue

    def tell(
        self, parcel: Parcel, said: Sequence[Said], seconds: float, *, reached: bool = False
    ) -> None:
        """What was *said* of recipients of *parcel*, after so many seconds.

        reached: a host of the destination is there, for the first time since it failed.
        """
        now = int(self._site.now())
        results = [self._result(parcel, one, now, seconds) for one in said]
        suppress = [
            one
            for one, found in zip(said, results, strict=True)
            if found.state == FAILED
            and relay.is_suppressing(one.stage, one.answer.reply.status)
            and (one.stage == "dns" or not one.answer.is_ours)
        ]
        destination = self._destination
        until = now + int(self._limits.suppress_days * 86_400)

        def also(tx: Write, settled: Sequence[Settled]) -> None:
            if reached:
                tx.queue.reached(destination)
            for one in suppress:
                reply = one.answer.reply
                tx.suppressions.add(one.recipient.address, reply.status, reply.text, until)

        self._books.note(
            Entry(
                results,
                also if reached or suppress else None,
                [
                    self._plain(parcel, found, now) if found.state in (FAILED, EXPIRED) else found
                    for found in results
                ],
            )
        )

    def give_back(self, parcels: Iterable[Parcel]) -> None:
        """Nothing was tried with them; they are due at once."""
        now = int(self._site.now())
        for parcel in parcels:
            self._books.note(Entry(given_back(parcel.recipients, now)))

    def rest(self, failures: int, why: str) -> None:
        """Nothing of the destination is claimed for a while, after so many failures in a row."""
        until = schedule.rest_until(
            self._limits,
            failures=failures,
            now=int(self._site.now()),
            chance=self._site.chance(),
        )
        destination = self._destination
        self._books.note(
            Entry((), lambda tx, settled: _ignore(tx.queue.back_off(destination, until, why)))
        )

    def _result(self, parcel: Parcel, one: Said, now: int, seconds: float) -> Result:
        verdict, reply = one.verdict, one.answer.reply
        code = 0 if one.answer.is_ours else reply.code
        attempt = Attempt(
            now,
            int(seconds * 1_000),
            one.host,
            one.address,
            one.tls,
            code,
            verdict.status,
            reply.text,
        )
        return result(
            self._limits,
            parcel.message,
            one.recipient,
            verdict.state,
            attempt,
            now=now,
            chance=self._site.chance(),
        )

    def _plain(self, parcel: Parcel, found: Result, now: int) -> Result:
        """Instead of *found*, with which something could not be done: the same attempt again, later."""
        due_at = schedule.retry_at(
            self._limits,
            attempts=1,
            now=now,
            expires_at=parcel.message.expires_at,
            chance=self._site.chance(),
        )
        return Result(found.recipient, DEFERRED, due_at, found.attempt)


def _ignore(_: object) -> None:
    return None
