"""A complete message: parsed, checked, filed for all its recipients, or refused with the reason.

Spec: RFC 5321 §4.2.5, §6.1, §6.3; RFC 3463 §3.  Status: complete.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailserver.base.errors import Cannot, LimitReached, MailError, NotAllowed, NotFound, OverQuota
from mailserver.base.ids import AccountId, QueuedId
from mailserver.base.limits import Limits
from mailserver.mime.derived import Derived, Head
from mailserver.mime.scan import derive, derive_head
from mailserver.mta import route
from mailserver.mta.authors import Authors
from mailserver.mta.binary import in_lines
from mailserver.mta.bounce import header_of
from mailserver.mta.check import Verdict
from mailserver.mta.deliver import Delivered, Edited, Filed, Full, delivery, threshold
from mailserver.mta.filtering import JUNK
from mailserver.mta.leave import Departure, Leaving, held_back, leaving
from mailserver.mta.notify import Terms, prepare, returned
from mailserver.mta.receive import Transaction
from mailserver.mta.route import Route, Target
from mailserver.mta.seen import failed, seen
from mailserver.mta.success import News
from mailserver.mta.treatment import taken, together
from mailserver.servers import smtp_filtering, smtp_reports
from mailserver.servers.filtered import together as merged
from mailserver.servers.handover import Offer
from mailserver.servers.judging import Judging
from mailserver.smtp.address import Address
from mailserver.smtp.events import Recipient
from mailserver.smtp.reply import Reply
from mailserver.store.blobs import Prepared
from mailserver.store.outcome import Outcome
from mailserver.store.spool import Body
from mailserver.store.tx import Write

if TYPE_CHECKING:
    from mailserver.servers.smtp import Shared

INLINE = (
    65_536  #: octets up to which a message is parsed on the loop, which takes a millisecond at most
)

HEADER = 65_536  #: octets of a header that a report on a failure may look at

LATER = Reply(451, "4.3.0", "Local trouble, try again later")
STORAGE = Reply(452, "4.3.1", "Storage is not available at the moment, try again later")
VANISHED = Reply(450, "4.2.1", "A mailbox has just gone, try again later")
SWITCHED_OFF = Reply(550, "5.7.1", "Your account is switched off")


class Taken(NamedTuple):
    """The message is on disk, in all these mailboxes and in the queue for everybody else.

    notes: what the recipients' scripts decided.
    """

    filed: list[Filed]
    queued: list[QueuedId]
    verdicts: list[Verdict]
    notes: list[str]


class NotTaken(NamedTuple):
    """Nothing of it was kept.  cause: for the log."""

    reply: Reply
    cause: str


async def take(
    shared: "Shared", transaction: Transaction, body: Body, local: str, judge: Judging | str
) -> Taken | NotTaken:
    """All or nothing: one commit files the message for every recipient, and only then the peer is told.

    An account without room refuses it for all, for now: the peer tries again and hears of the full mailbox at RCPT,
    so that the others get theirs, once, and nobody gets a bounce that may be wrong.
    """
    work, limits = shared.context.work, shared.context.limits
    try:
        if isinstance(judge, str):
            transaction.not_judged(judge)
        elif transaction.account is None:
            await _judged(shared, transaction, body, judge)
        if body.data is not None:
            body = _complete(shared, transaction, body)
        else:
            body = await work.thread(lambda: _complete(shared, transaction, body))
        if transaction.is_binary:
            body = await _in_lines(shared, body)
        if body.size <= INLINE:
            derived, found = _read(transaction, body, limits)
        else:
            derived, found = await work.thread(lambda: _read(transaction, body, limits))
        foreign: Sequence[Address] = ()
        account = transaction.account
        if account is not None and not all(
            shared.is_his(account, address, local) for address in found.addresses
        ):
            foreign = await shared.foreign(account, found.addresses, local)
        verdicts = transaction.examine(body, derived, found, tuple(map(str, foreign)), limits)
        _count(shared, transaction, body, is_refused=verdicts[-1].refusal is not None)
        if verdicts[-1].refusal is not None:
            return NotTaken(verdicts[-1].refusal, f"{verdicts[-1].check}: {verdicts[-1].reason}")
        if (again := transaction.loop(body, derived, limits)) is not None:
            text = f"Mail loop: {again} has passed this message on before"
            return NotTaken(Reply(554, "5.4.6", text), text)
        if (refused := _too_large(shared, transaction, body)) is not None:
            return refused
        parts: smtp_filtering.Parts = {}
        if isinstance(derived, Derived) and any(box.filters for box in _boxes(transaction)):
            parts = await smtp_filtering.parts_of(shared, transaction, body, derived)
            if (reply := smtp_filtering.refusal(shared, transaction, parts)) is not None:
                return NotTaken(reply, "; ".join(_notes(parts)))
        report = await smtp_reports.incoming(shared, transaction, body, derived)
        prepared = await work.prepare(body, threshold(_boxes(transaction)))
        try:
            done = await _file(shared, transaction, body, derived, prepared, parts, report)
        except (
            Exception
        ):  # not when this coroutine is cancelled: the job may be committed all the same
            prepared.discard()
            raise
    except (MailError, OSError) as error:
        return _failed(shared, transaction, body, error)
    finally:
        body.discard()
    return Taken(done.filed, done.queued, verdicts, _notes(parts))


async def _judged(shared: "Shared", transaction: Transaction, body: Body, judge: Judging) -> None:
    """What mail authentication says of another server's message.  Raises MailError."""
    asks_dmarc = any(route.treatment.dmarc != "none" for route in transaction.routes)
    found, marks = await judge.findings(
        body, transaction.start, transaction.received_at, asks_dmarc=asks_dmarc
    )
    transaction.judged(found, marks, await shared.trust())


def _complete(shared: "Shared", transaction: Transaction, body: Body) -> Body:
    """What was found is told in the header; LMTP hands over what one of us has looked at.  Raises OSError."""
    if shared.service.is_lmtp:
        return body
    context = shared.context
    done, forged = transaction.complete(body, context.hostname, context.limits.mime, context.spool)
    if forged:
        text = f"{forged} removed that claimed to be ours"
        transaction.verdicts.append(Verdict("Authentication-Results", text))
    return done


def _count(shared: "Shared", transaction: Transaction, body: Body, *, is_refused: bool) -> None:
    """For the reports to the author's domain, if it wants any."""
    found = transaction.findings
    if found is None or not transaction.decisions:
        return
    decisions = list(transaction.decisions.values())
    if is_refused:
        refused = together(decisions)
        if refused is None or refused.by != transaction.verdicts[-1].check:
            return  # for something else, which is no business of the author's domain
        done = refused
    else:
        done = taken(decisions)
    context, at = shared.context, transaction.received_at
    to = transaction.recipients[0].address.domain
    told = seen(found, done, to)
    if told is not None:
        context.count_mail(told, at)
    sender = str(transaction.sender or "")
    failure = failed(found, sender, transaction.marks, done, to, int(at))
    if failure is not None:
        header = header_of(bytes(body.view()[transaction.skip : transaction.skip + HEADER]))
        context.tell_failure(failure._replace(header=header))


async def _in_lines(shared: "Shared", body: Body) -> Body:
    """Without binary content; *body* is given up for it.  In a thread: it has the size of a message."""
    folder, limits = shared.context.spool, shared.context.limits.mime
    return await shared.context.work.thread(lambda: in_lines(body, folder, INLINE, limits))


def _notes(parts: smtp_filtering.Parts) -> list[str]:
    return [note for part in parts.values() for note in part.notes]


async def _file(
    shared: "Shared",
    transaction: Transaction,
    body: Body,
    derived: Head,
    prepared: Prepared,
    parts: smtp_filtering.Parts,
    report: smtp_reports.Incoming | None,
) -> Delivered:
    """Over LMTP an account without room keeps nobody else from it: each has a reply of his own (RFC 2033 §4.2)."""
    while True:
        boxes = _boxes(transaction)
        if report is not None and report.is_all:
            boxes, parts = [], {}
        found = merged(parts[box.account] for box in boxes if box.account in parts)
        suspects = transaction.suspects()
        plain = [box for box in boxes if box.account not in parts]
        junk = [(box, JUNK) for box in plain if box.account in suspects]
        departures = [*transaction.departures(), *found.departures]
        away: Sequence[Leaving] = ()
        if departures or transaction.is_held_back:
            away = await _leaving(shared, transaction, body, derived, departures)
        also = [*found.also]
        if news := transaction.news():
            also = [*await _notices(shared, transaction, body, derived, news), *also]
        if report is not None:
            also.append(report.keep)
        edited: Sequence[Edited] = ()
        whole = derived if isinstance(derived, Derived) else None
        if parts and whole is not None:
            also += await smtp_filtering.notices(shared, transaction, body, whole, parts)
            edited = await smtp_filtering.edited(shared, transaction, body, whole, found)
        offer = shared.context.handover.ask(away)
        at_once = offer.at_once if offer is not None else None
        job = delivery(
            prepared,
            whole,
            [box for box in plain if box.account not in suspects],
            transaction.received_at,
            away,
            also,
            at_once,
            [*found.copies, *junk],
            edited,
        )
        then = _handing(offer, prepared) if offer is not None else None
        try:
            return await shared.context.work.write(job, is_pure=True, then=then)
        except Full as error:
            if not shared.service.is_lmtp or not transaction.leave_out(_full(error.account)):
                raise
            shared.routes.was_full(error.account, body.size)


def _handing(offer: Offer, prepared: Prepared) -> Callable[[Outcome[Delivered]], None]:
    """Gives the queue's runner what was claimed for him, once it is committed."""

    content = prepared.data if isinstance(prepared.data, bytes) else None

    def then(outcome: Outcome[Delivered]) -> None:
        offer.end([] if outcome.error is not None else outcome.result().claimed, content)

    return then


def _full(account: AccountId) -> Callable[[Recipient, Route], Reply | None]:
    """What the recipients are refused with whose mail goes to *account*."""

    def refused(recipient: Recipient, found: Route) -> Reply | None:
        is_his = any(target.account == account for target in found.targets)
        return route.full(recipient.address) if is_his else None

    return refused


def _too_large(shared: "Shared", transaction: Transaction, body: Body) -> NotTaken | None:
    """The refusal of a message that a mailbox takes no more of its size; over LMTP the others get it."""
    size = transaction.size(body)
    if all(route.takes(found, size) for found in transaction.routes):
        return None
    others = transaction.leave_out(
        lambda recipient, found: (
            None if route.takes(found, size) else route.too_large(recipient.address, found)
        )
    )
    if others and shared.service.is_lmtp:
        return None
    reply = next(iter(transaction.left_out.values()))
    return NotTaken(reply, f"{size} octets are more than a mailbox takes")


def _boxes(transaction: Transaction) -> list[Target]:
    """The mailboxes that get it now."""
    return [] if transaction.is_held_back else transaction.targets()


def _read(transaction: Transaction, body: Body, limits: Limits) -> tuple[Head, Authors]:
    """What there is to know of the message: only of its header if no mailbox gets it now."""
    read = derive if _boxes(transaction) else derive_head
    derived = read(body.view(), limits.mime)
    return derived, transaction.written_by(body, derived, limits)


async def _leaving(
    shared: "Shared",
    transaction: Transaction,
    body: Body,
    derived: Head,
    departures: Sequence[Departure],
) -> Sequence[Leaving]:
    """What goes to other servers, each with its next hop."""
    context = shared.context
    table, key = shared.routes.hops or await shared.hops()
    if body.size <= INLINE:
        envelope = transaction.envelope(body)
    else:
        envelope = await context.work.thread(lambda: transaction.envelope(body))
    if transaction.is_held_back:
        waiting = transaction.waiting()
        return [held_back(envelope, waiting, derived, table, context.limits.queue)]
    return leaving(envelope, departures, derived, table, key, context.limits.queue)


async def _notices(
    shared: "Shared",
    transaction: Transaction,
    body: Body,
    derived: Head,
    news: Sequence[News],
) -> Sequence[Callable[[Write], None]]:
    """The notices that the sender asked for; filed with the message, so that they are true."""
    context = shared.context
    original = transaction.original(derived)
    terms = Terms(context.hostname, context.limits, context.smarthost)
    now, size = int(context.now()), body.size - transaction.skip

    def read(offset: int, length: int) -> bytes:
        at = transaction.skip + offset
        return bytes(body.view()[at : at + length])

    def make() -> list[Callable[[Write], None]]:
        made = [
            prepare(
                kind,
                original,
                told,
                returned(kind, original, size, read, context.limits),
                terms,
                id=shared.token(),
                now=now,
            )
            for kind, told in news
        ]
        return [notice.file for notice in made if notice is not None]

    return await context.work.thread(make)


def _failed(shared: "Shared", transaction: Transaction, body: Body, error: Exception) -> NotTaken:
    """What the peer hears of an error; the most particular one counts."""
    if isinstance(error, Full):
        shared.routes.was_full(error.account, body.size)
        for recipient, found in zip(transaction.recipients, transaction.routes, strict=True):
            if any(target.account == error.account for target in found.targets):
                address = recipient.address
                return NotTaken(route.full(address), f"{address} is over quota, nothing was filed")
    if isinstance(error, Cannot) and transaction.is_binary:
        text = f"Message refused: its binary content cannot be converted: {error}"
        return NotTaken(Reply(554, "5.6.3", text), str(error))
    if isinstance(error, LimitReached):
        return NotTaken(Reply(452, "4.3.1", f"{error} Try again later"), str(error))
    if isinstance(error, OverQuota):
        return NotTaken(Reply(452, "4.2.2", "A mailbox is full, try again later"), str(error))
    if isinstance(error, NotAllowed):
        return NotTaken(SWITCHED_OFF, str(error))
    if isinstance(error, NotFound):  # an account or its INBOX went between RCPT and now
        shared.routes.clear()
        return NotTaken(VANISHED, str(error))
    return NotTaken(STORAGE, f"{type(error).__name__}: {error}")
