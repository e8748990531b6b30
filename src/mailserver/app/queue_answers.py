"""The queue as the command line shows it: objects for --json, lines for people."""

from collections.abc import Iterator
from typing import Any

from mailserver.app.answers import lines, moment, table
from mailserver.app.command import one_line
from mailserver.app.sizes import show_size
from mailserver.store.destinations import Waiting
from mailserver.store.hold_rules import HoldRule
from mailserver.store.queue_listing import Depth, Entry, Made, Shown
from mailserver.store.queue_values import Destination, QueuedRecipient
from mailserver.store.suppressions import Suppression

WHY_WIDTH = 60  #: columns of the last reply in a list; `queue show` has all of it


def entry_row(entry: Entry) -> dict[str, Any]:
    """What --json says of a recipient in a list."""
    return {
        "id": entry.recipient.queued,
        "trace": entry.trace,
        "queued_at": moment(entry.created_at),
        "expires_at": moment(entry.expires_at),
        "sender": entry.sender,
        "origin": entry.origin,
        "size": entry.size,
        "message_id": entry.message_id,
        "subject": entry.subject,
        **recipient_row(entry.recipient, entry.destination),
        "paused_at": moment(entry.destination.paused_at),
    }


def recipient_row(to: QueuedRecipient, destination: Destination) -> dict[str, Any]:
    """What --json says of a recipient."""
    return {
        "recipient_id": to.id,
        "recipient": to.address,
        "destination": destination.name,
        "state": to.state,
        "held_by": to.held_by or None,
        "next_attempt_at": moment(_next(to, destination)),
        "attempts": to.attempts,
        "status": to.status or None,
        "reply": to.reply or None,
        "warned_at": moment(to.warned_at),
        "changed_at": moment(to.changed_at),
    }


def listed(entries: list[Entry]) -> Iterator[str]:
    """A line for each recipient."""
    rows = [
        {
            "id": entry.recipient.queued,
            "queued_at": moment(entry.created_at),
            "size": show_size(entry.size),
            "sender": one_line(entry.sender) or "<>",
            "recipient": one_line(entry.recipient.address),
            "state": entry.recipient.state,
            "next_attempt": moment(_next(entry.recipient, entry.destination)),
            "why": _why(entry.recipient, entry.destination),
        }
        for entry in entries
    ]
    return table(
        rows,
        ("id", "queued_at", "size", "sender", "recipient", "state", "next_attempt", "why"),
    )


def _next(to: QueuedRecipient, destination: Destination) -> int | None:
    """When it is tried again; None: nobody knows, or never."""
    if to.due_at is None or destination.paused_at is not None:
        return None
    return max(to.due_at, destination.backoff_until or 0)


def _why(to: QueuedRecipient, destination: Destination) -> str:
    if to.held_by:
        text = f"by {to.held_by}"
    elif to.due_at is not None and destination.paused_at is not None:
        text = f"{destination.name} is paused"
    elif to.due_at is not None and not to.reply:
        text = destination.last_error
    else:
        text = f"{to.status} {to.reply}"
    text = one_line(text).strip()
    return text if len(text) <= WHY_WIDTH else text[: WHY_WIDTH - 3] + "..."


def shown_row(shown: Shown, account: str | None) -> dict[str, Any]:
    """What --json says of a message."""
    queued = shown.queued
    return {
        "id": queued.id,
        "trace": queued.trace,
        "sender": queued.sender,
        "account": account,
        "origin": queued.origin,
        "notices_to": queued.notices_to,
        "size": queued.size,
        "message_id": queued.message_id,
        "subject": queued.subject,
        "is_8bit": queued.is_8bit,
        "is_utf8": queued.is_utf8,
        "needs_tls": queued.needs_tls,
        "ret": queued.ret or None,
        "envid": queued.envid or None,
        "queued_at": moment(queued.created_at),
        "release_at": moment(queued.release_at),
        "warn_at": moment(queued.warn_at),
        "expires_at": moment(queued.expires_at),
        "closed_at": moment(queued.closed_at),
        "recipients": [
            {
                **recipient_row(to, shown.destinations[to.destination]),
                "original": to.original or None,
                "notify": to.notify or None,
                "attempts_made": [made_row(made) for made in shown.attempts[to.id]],
            }
            for to in shown.recipients
        ],
    }


def made_row(made: Made) -> dict[str, Any]:
    """What --json says of an attempt."""
    attempt = made.attempt
    return {
        "number": made.number,
        "at": moment(attempt.at),
        "duration_ms": attempt.duration_ms,
        "host": attempt.host or None,
        "address": attempt.address or None,
        "tls": attempt.tls or None,
        "code": attempt.code or None,
        "status": attempt.status or None,
        "reply": attempt.reply or None,
        "outcome": made.outcome,
    }


def told(shown: Shown, account: str | None) -> Iterator[str]:
    """A message for people: what it is, then each recipient with every attempt."""
    row = shown_row(shown, account)
    said = (
        "id",
        "trace",
        "sender",
        "account",
        "origin",
        "notices_to",
        "size",
        "message_id",
        "subject",
    )
    when = ("queued_at", "release_at", "expires_at", "closed_at")
    values = {name: row[name] for name in (*said, *when) if row[name] is not None}
    values["sender"] = values["sender"] or "<>"
    values["size"] = show_size(shown.queued.size)
    for line in lines(values):
        yield one_line(line)
    for to in shown.recipients:
        yield ""
        yield one_line(state_line(to, shown.destinations[to.destination]))
        for made in shown.attempts[to.id]:
            yield f"  {one_line(attempt_line(made))}"


def state_line(to: QueuedRecipient, destination: Destination) -> str:
    """What is with a recipient, in words; not escaped."""
    text = f"{to.address}: {to.state}"
    if to.held_by:
        text += f" by {to.held_by}"
    if (next_at := _next(to, destination)) is not None:
        text += f", next attempt {moment(next_at)}"
    hop = destination.name
    if hop != to.domain:
        text += f", by {hop}"
        hop = "which"
    if to.due_at is not None and destination.paused_at is not None:
        text += f", {hop} is paused"
    elif to.due_at is not None and destination.failures:
        text += f", {hop} was not reached since {moment(destination.failed_since)}"
    return text


def attempt_line(made: Made) -> str:
    """When, where and how it was tried, and what came of it; not escaped."""
    attempt = made.attempt
    host = attempt.host or "no host reached"
    if attempt.address:
        host += f" [{attempt.address}]"
    words = (
        f"{made.number}. {moment(attempt.at)}",
        host,
        attempt.tls or ("no TLS" if attempt.code else ""),  # nothing was said in clear
        " ".join(filter(None, (str(attempt.code or ""), attempt.status, attempt.reply))),
        f"{made.outcome} after {attempt.duration_ms / 1000:g} s",
    )
    return "  ".join(filter(None, words))


def destination_row(waiting: Waiting, now: int) -> dict[str, Any]:
    """What --json says of a destination."""
    one = waiting.destination
    is_backing_off = one.backoff_until is not None and one.backoff_until > now
    return {
        "destination": one.name,
        "waiting": waiting.waiting,
        "next_attempt_at": moment(one.due_at),
        "paused_at": moment(one.paused_at),
        "backoff_until": moment(one.backoff_until) if is_backing_off else None,
        "failures": one.failures,
        "failed_since": moment(one.failed_since),
        "last_error": one.last_error or None,
    }


def depth_row(depth: Depth, now: int) -> dict[str, Any]:
    """What --json says of the whole queue."""
    return {
        "messages": depth.messages,
        "recipients": depth.states,
        "oldest_at": moment(depth.oldest_at),
        "oldest_age_s": 0 if depth.oldest_at is None else max(0, now - depth.oldest_at),
        "next_attempt_at": moment(depth.next_due),
        "destinations": {
            "waiting": depth.destinations,
            "backing_off": depth.backing_off,
            "paused": depth.paused,
        },
    }


def summary(depth: Depth, fullest: list[Waiting], now: int) -> Iterator[str]:
    """The queue for people: how much waits, since when, and for whom."""
    states = ", ".join(f"{count} {state}" for state, count in depth.states.items() if count)
    values = {
        "messages": depth.messages,
        "recipients": states or "none",
        "oldest": moment(depth.oldest_at),
        "next_attempt": moment(depth.next_due),
        "destinations": f"{depth.destinations} with mail that waits, {depth.backing_off} of them not reached,"
        f" {depth.paused} paused",
    }
    yield from lines(values)
    if fullest:
        yield ""
    rows = [
        {
            "destination": one_line(waiting.destination.name),
            "waiting": waiting.waiting,
            "next_attempt": moment(waiting.destination.due_at),
            "paused": moment(waiting.destination.paused_at),
            "failures": waiting.destination.failures,
            "last_error": one_line(waiting.destination.last_error)[:WHY_WIDTH],
        }
        for waiting in fullest
    ]
    yield from table(
        rows, ("destination", "waiting", "next_attempt", "paused", "failures", "last_error")
    )


def rule_row(rule: HoldRule) -> dict[str, Any]:
    """What --json says of a hold rule."""
    return {
        "id": rule.id,
        "field": rule.field,
        "pattern": rule.pattern,
        "note": rule.note,
        "created_at": moment(rule.created_at),
    }


def suppression_row(suppression: Suppression) -> dict[str, Any]:
    """What --json says of a suppressed address."""
    return {
        "address": suppression.address,
        "status": suppression.status,
        "reply": suppression.reply,
        "created_at": moment(suppression.created_at),
        "expires_at": moment(suppression.expires_at),
    }
