"""A Sieve script tried on a message: what it would do, and why, for people and as JSON.

Spec: RFC 5228 §2.10.  Status: complete.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mailserver.base.errors import Cannot
from mailserver.base.limits import Limits
from mailserver.mime import parts, scan
from mailserver.sieve.actions import (
    Action,
    Discard,
    FileInto,
    Keep,
    Notify,
    Redirect,
    Reject,
    Vacation,
)
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.extensions.imapsieve import NO_USER
from mailserver.sieve.header import read_addresses
from mailserver.sieve.message import Message
from mailserver.sieve.program import Program
from mailserver.sieve.run import Outcome, Told, run
from mailserver.sieve.scores import Scores


class Wrong(Cannot):
    """Scripts do not compile; problems: what is wrong with each of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def compiled(script: bytes, limits: Limits, folder: Path | None = None) -> Program:
    """*script*, made to tell what its tests say; included scripts are files NAME.sieve in *folder*.

    Raises ScriptError.
    """

    def load(location: str, name: str) -> bytes | None:
        if folder is None or not name or name != Path(name).name:
            return None
        file = folder / f"{name.removesuffix('.sieve')}.sieve"
        return file.read_bytes() if file.is_file() else None

    return compile_script(script, limits.sieve, load=load, traced=True)


def tried(
    program: Program,
    raw: bytes,
    limits: Limits,
    *,
    sender: str,
    recipient: str,
    now: datetime,
    scores: Scores,
) -> Outcome:
    """What *program* does with the message; an empty address is taken from its header, as well as it goes.

    scores: the fields of filters in front, taken for true.
    """
    root = parts.scan(raw, limits.mime)
    message = Message(raw, root.body_start, len(raw), lambda: scan.layout(root, limits.mime))
    if not sender:
        sender = first_address(message, "return-path", "sender", "from")
    if not recipient:
        recipient = first_address(message, "delivered-to", "x-original-to", "to")
    environment = Environment(
        sender=sender,
        recipient=recipient,
        now=now,
        items={"location": "MDA", "phase": "during", "name": "mailserver", **NO_USER},
        scores=scores,
    )
    return run(program, message, environment, limits.sieve)


def first_address(message: Message, *names: str) -> str:
    """The first address in these fields; "" where there is none."""
    for name in names:
        for value in message.values(name):
            for mailbox in read_addresses(value.encode()):
                return mailbox.whole
    return ""


def lines(outcome: Outcome) -> list[str]:
    """The tests in the order in which they were asked, then the actions."""
    out = [f"  line {t.line:<4} {t.test:<12} {_said(t)}" for t in outcome.trace]
    if outcome.error is not None:
        out.append(f"  error: {outcome.error}; so the message is kept")
    return out + [f"  -> {shown(action)}" for action in outcome.actions]


def as_object(name: str, outcome: Outcome) -> dict[str, Any]:
    """The same for programs."""
    return {
        "message": name,
        "error": None if outcome.error is None else str(outcome.error),
        "actions": [
            {"line": action.line, "action": type(action).__name__.lower(), "text": shown(action)}
            for action in outcome.actions
        ],
        "tests": [told._asdict() for told in outcome.trace],
    }


def _said(told: Told) -> str:
    if not told.result:
        return "false"
    if not told.value and not told.key:
        return "true"
    return f'true: "{told.value}" matches "{told.key}"'


def shown(action: Action) -> str:
    """What happens, in words, and by which line."""
    match action:
        case Keep():
            text = "kept in INBOX" + _flags(action.flags)
        case FileInto():
            text = f'filed into "{action.mailbox}"' + _flags(action.flags)
            text += ", made if it is not there" if action.creates else ""
        case Redirect():
            text = f"sent on to {action.address}"
        case Discard():
            text = "thrown away"
        case Reject():
            text = f"refused: {' '.join(action.reason.split())}"
        case Vacation():
            text = f"answered, if not within {action.seconds} s before: {' '.join(action.reason.split())}"
            text += _carbon(action.carbon)
        case Notify():
            subject = action.message if action.message is not None else action.mail.subject
            text = f"notified: {', '.join(action.told)}"
            text += "" if subject is None else f", {' '.join(subject.split())}"
            text += _carbon(action.carbon)
    if action.edited is not None:
        text += ", changed"
    where = f"line {action.line}" if action.line else "nothing else was said"
    return f"{text} ({where})"


def _carbon(carbon: FileInto | None) -> str:
    return "" if carbon is None else f', with a copy in "{carbon.mailbox}"{_flags(carbon.flags)}'


def _flags(flags: tuple[str, ...] | None) -> str:
    return f" with {' '.join(flags)}" if flags else ""
