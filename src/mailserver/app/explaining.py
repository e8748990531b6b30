"""The life of a message as one list of lines: connection, log-in, envelope, checks, filing, and what the queue did.

Traces come from `log.db`, names of accounts and mailboxes and the queue's attempts from the database.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from mailserver.app.answers import moment
from mailserver.app.queue_answers import attempt_line, shown_row, state_line
from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, MailboxId
from mailserver.store.queue_listing import Shown
from mailserver.store.trace_values import Reached, Step, Trace
from mailserver.store.tx import Read


class Line(NamedTuple):
    """One thing that happened."""

    what: str  # "connection", "recipient", "check", ...
    text: str


def title(trace: Trace) -> str:
    """When, and what became of it, in a few words."""
    at = moment(trace.at_ms // 1000)
    if trace.is_taken:
        return f"{at}  taken as {trace.id}, in {trace.took_ms} ms"
    if not trace.id:
        return f"{at}  refused"
    fate = "refused" if trace.reply else "given up by the client"
    return f"{at}  {fate}, {trace.id}"


def timeline(trace: Trace, tx: Read) -> Iterator[Line]:
    """Everything that is known, in the order in which it happened."""
    if trace.listener:
        yield Line("connection", _connection(trace))
    if trace.account:
        yield Line("account", trace.account)
    if trace.sender is not None:
        yield Line("sender", f"<{trace.sender}>")
    yield from _steps(trace, "connect", "log-in", "mail")
    for reached in trace.recipients:
        yield Line("recipient", _recipient(reached, tx))
    yield from _steps(trace, "rcpt")
    if trace.size:
        name = f", Message-ID {trace.message_id}" if trace.message_id else ", no Message-ID"
        yield Line(
            "content", f"{trace.size} octets{name if trace.message_id or trace.is_taken else ''}"
        )
    yield from _steps(trace, "data", "filing", "connection")
    for copy in trace.copies:
        account = address_of(tx, copy.account)
        mailbox = _mailbox(tx, copy.mailbox)
        yield Line("filed", f"{account}, {mailbox}, UID {copy.uid} (message {copy.message})")
    if trace.omitted:
        yield Line("omitted", f"{trace.omitted} more refusals and recipients")
    if trace.reply:
        yield Line("reply", trace.reply)
    for shown in _queued(trace, tx):
        sender = shown.queued.sender
        yield Line("queue", f"message {shown.queued.id}, {shown.queued.origin}, from <{sender}>")
        for to in shown.recipients:
            yield Line("leaves", state_line(to, shown.destinations[to.destination]))
            for made in shown.attempts[to.id]:
                yield Line("attempt", attempt_line(made))


def from_queue(shown: Shown) -> Trace:
    """As much of a trace as the queue remembers, when the trace itself is gone."""
    message = shown.queued
    return Trace(
        id=message.trace,
        at_ms=message.created_at * 1000,
        is_taken=True,
        sender=message.sender,
        message_id=message.message_id,
        size=message.size,
        queued=(message.id,),
    )


def as_object(trace: Trace, tx: Read) -> dict[str, Any]:
    """What --json says of it."""
    return {
        "id": trace.id or None,
        "at": moment(trace.at_ms // 1000),
        "at_ms": trace.at_ms,
        "took_ms": trace.took_ms,
        "is_taken": trace.is_taken,
        "listener": trace.listener,
        "session": trace.session,
        "peer": trace.peer or None,
        "helo": trace.helo or None,
        "tls": trace.tls or None,
        "account": trace.account or None,
        "sender": trace.sender,
        "recipients": [
            {
                "address": reached.address,
                "accounts": [address_of(tx, account) for account in reached.accounts],
                "remote": list(reached.remote),
            }
            for reached in trace.recipients
        ],
        "message_id": trace.message_id or None,
        "size": trace.size,
        "steps": [{**step._asdict(), "reply": step.reply or None} for step in trace.steps],
        "filed": [
            {
                "account": address_of(tx, copy.account),
                "mailbox": _mailbox(tx, copy.mailbox),
                "uid": copy.uid,
                "message": copy.message,
            }
            for copy in trace.copies
        ],
        "queued": [shown_row(one, _account(tx, one.queued.account)) for one in _queued(trace, tx)],
        "omitted": trace.omitted,
        "reply": trace.reply or None,
    }


def address_of(tx: Read, account: int) -> str:
    """The account's address; a number when it is gone."""
    try:
        return tx.accounts.get(AccountId(account)).address
    except NotFound:
        return f"account {account}, which is gone"


def _account(tx: Read, account: AccountId | None) -> str | None:
    return None if account is None else address_of(tx, account)


def _queued(trace: Trace, tx: Read) -> list[Shown]:
    """What the transaction brought into the queue, as long as the queue remembers it."""
    return [tx.queue.show(message) for message in tx.queue.of_trace(trace.id)] if trace.id else []


def _mailbox(tx: Read, mailbox: int) -> str:
    found = tx.mailboxes.by_id(MailboxId(mailbox))
    return found.name if found is not None else f"mailbox {mailbox}, which is gone"


def _connection(trace: Trace) -> str:
    parts = [trace.peer or "local socket"]
    if trace.helo:
        parts.append(f"called itself {trace.helo}")
    parts += [f"on {trace.listener}", trace.tls or "no TLS"]
    if trace.session:
        parts.append(f"session {trace.session}")
    return ", ".join(parts)


def _recipient(reached: Reached, tx: Read) -> str:
    goals = [address_of(tx, account) for account in reached.accounts]
    goals += [f"<{address}> elsewhere" for address in reached.remote]
    return f"<{reached.address}> for {', '.join(goals)}" if goals else f"<{reached.address}>"


def _steps(trace: Trace, *stages: str) -> Iterator[Line]:
    for step in trace.steps:
        if step.stage in stages:
            yield Line("refused" if step.reply else _word(step), _said(step))


def _word(step: Step) -> str:
    return "ended" if step.stage == "connection" else "check"


def _said(step: Step) -> str:
    if step.stage == "connection" and not step.reply:
        return step.reason
    text = f"{step.what}: {step.reason}" if step.reason else step.what
    return f"{text}: {step.reply}" if step.reply else text
