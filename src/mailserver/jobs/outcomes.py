"""What a next hop said, turned into what is written down: results, retries, suppressions, the destination's rest.

Spec: RFC 5321 §4.2.1, §4.5.4.1.  Status: complete.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailserver.base.ids import DestinationId
from mailserver.base.log import Log
from mailserver.jobs.books import Entry
from mailserver.jobs.desk import Desk
from mailserver.jobs.parcels import Parcel, given_back, result
from mailserver.jobs.reaching import Try
from mailserver.mta import relay, schedule
from mailserver.mta.notice import Kind, Recipient
from mailserver.mta.notify import Notice
from mailserver.net.smtp import OutboundConnection
from mailserver.smtp.outgoing import Answer, Stage
from mailserver.smtp.reply import Reply
from mailserver.store.queue_values import (
    DEFERRED,
    DELIVERED,
    EXPIRED,
    FAILED,
    Attempt,
    QueuedRecipient,
    Result,
    Settled,
)
from mailserver.store.tx import Write

log = Log("queue")

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


LISTED = 10  #: recipients that a line of the log names
REPLY = 200  #: characters of a reply in it

News = tuple[Kind, list[Recipient]]  #: what there is to tell, of whom


class Said(NamedTuple):
    """An answer about one recipient, and whose it was.

    stage:       the answer's, or "dns".
    notifies:    the next hop sends notices itself (RFC 3461 §5.2.1).
    """

    recipient: QueuedRecipient
    answer: Answer
    host: str = ""
    address: str = ""
    tls: str = ""
    stage: str = Stage.CONNECT
    notifies: bool = False

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
    notifies = "DSN" in connection.capabilities
    return [
        Said(recipient, answer, hop.host, hop.address, tls, answer.stage, notifies)
        for recipient, answer in zip(recipients, answers, strict=True)
    ]


def of_try(recipients: Iterable[QueuedRecipient], one: Try) -> list[Said]:
    """The same answer for all, from a host that took no connection."""
    stage = "dns" if one.is_dns else one.answer.stage
    return [Said(r, one.answer, one.host, one.address, stage=stage) for r in recipients]


class Outcomes:
    """Writes down what became of the parcels of one destination."""

    __slots__ = ("_books", "_destination", "_limits", "_notices", "_site")

    def __init__(self, desk: Desk, destination: DestinationId) -> None:
        self._site = desk.site
        self._books = desk.books
        self._notices = desk.notices
        self._destination = destination
        self._limits = desk.site.limits.queue

    def tell(
        self, parcel: Parcel, said: Sequence[Said], seconds: float, *, reached: bool = False
    ) -> None:
        """What was *said* of recipients of *parcel*, after so many seconds.

        reached: a host of the destination is there, for the first time since it failed.
        """
        now = int(self._site.now())
        results = [self._result(parcel, one, now, seconds) for one in said]
        self._log(parcel, said, results, seconds)
        news = _news(said, results)
        wanted = [
            (kind, told)
            for kind, told in news
            if self._notices.are_wanted(kind, parcel.message, told)
        ]
        if wanted:
            self._books.expect(self._with_notices(parcel, said, results, wanted, reached, now))
        else:
            self._books.note(self._entry(parcel, said, results, [], reached, now))

    def _log(
        self, parcel: Parcel, said: Sequence[Said], results: Sequence[Result], seconds: float
    ) -> None:
        """A line for each different answer."""
        groups: dict[tuple[str, Answer], list[Said]] = {}
        for one, found in zip(said, results, strict=True):
            groups.setdefault((found.state, one.answer), []).append(one)
        for (state, answer), ones in groups.items():
            first = ones[0]
            log.info(
                f"mail {state}",
                id=parcel.message.trace,
                queued=parcel.message.id,
                recipients=[one.recipient.address for one in ones[:LISTED]],
                count=len(ones),
                host=first.host,
                address=first.address,
                tls=first.tls,
                dkim=parcel.signed,
                reply=str(answer.reply)[:REPLY],
                seconds=round(seconds, 3),
            )

    async def _with_notices(
        self,
        parcel: Parcel,
        said: Sequence[Said],
        results: Sequence[Result],
        wanted: Sequence[News],
        reached: bool,
        now: int,
    ) -> Entry:
        try:
            made = [await self._notices.make(kind, parcel.message, told) for kind, told in wanted]
        except Exception as error:  # our bug, or a full disk: nobody is given up without his notice
            log.error("a notice could not be made", queued=parcel.message.id, error=error)
            return Entry(self._without_ends(results, now))
        notices = [notice for notice in made if notice is not None]
        return self._entry(parcel, said, results, notices, reached, now)

    def _entry(
        self,
        parcel: Parcel,
        said: Sequence[Said],
        results: Sequence[Result],
        notices: Sequence[Notice],
        reached: bool,
        now: int,
    ) -> Entry:
        suppress = [
            one
            for one, found in zip(said, results, strict=True)
            if found.state == FAILED
            and relay.is_suppressing(one.stage, one.answer.reply.status)
            and (one.stage == "dns" or not one.answer.is_ours)
        ]
        if not (notices or suppress or reached):
            return Entry(results)
        destination = self._destination
        until = now + int(self._limits.suppress_days * 86_400)

        def also(tx: Write, settled: Sequence[Settled]) -> None:
            if reached:
                tx.queue.reached(destination)
            for one in suppress:
                reply = one.answer.reply
                tx.suppressions.add(one.recipient.address, reply.status, reply.text, until)
            if any(one.took for one in settled):  # not when all were cancelled meanwhile
                for notice in notices:
                    notice.file(tx)

        return Entry(results, also, self._without_ends(results, now))

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
            chance=self._site.chance() if verdict.state == DEFERRED else 0.0,
        )

    def _without_ends(self, results: Sequence[Result], now: int) -> list[Result]:
        """*results*, but who would be given up is tried again: something that belongs to it could not be done."""
        due_at = now + int(
            self._limits.retry_first_s
        )  # also when its time is over: it must not spin
        return [
            Result(found.recipient, DEFERRED, due_at, found.attempt)
            if found.state in (FAILED, EXPIRED)
            else found
            for found in results
        ]


def _news(said: Sequence[Said], results: Sequence[Result]) -> list[News]:
    """What senders may want to hear: of failures, and of successes that no other server tells of (RFC 3461 §5.2.2)."""
    failed, relayed = [], []
    for one, found in zip(said, results, strict=True):
        if found.state in (FAILED, EXPIRED):
            failed.append(_told(one, found))
        elif found.state == DELIVERED and one.recipient.notify and not one.notifies:
            relayed.append(_told(one, found))
    return [(kind, told) for kind, told in ((Kind.FAILED, failed), (Kind.RELAYED, relayed)) if told]


def _told(one: Said, found: Result) -> Recipient:
    """As a notice tells of it."""
    attempt, to = found.attempt, one.recipient
    if attempt is None:
        return Recipient(to.address, to.original, to.notify)
    return Recipient(
        to.address,
        to.original,
        to.notify,
        attempt.status,
        attempt.code,
        attempt.reply,
        attempt.host,
        attempt.at,
    )


def _ignore(_: object) -> None:
    return None
