"""What the Sieve scripts of one account make of a message: a plan that the delivery carries out.

Spec: RFC 5228 §2.10; RFC 5429 §2; RFC 7352 §3.  Status: complete.

Scripts run one after the other: what stands before the user's own, his own, what stands behind.  The next one runs if
the message is still to be kept; what is kept at the end goes into INBOX.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from mailserver.base.limits import SieveLimits
from mailserver.sieve.actions import (
    Discard,
    FileInto,
    Keep,
    Notify,
    Redirect,
    Reject,
    Vacation,
)
from mailserver.sieve.edited import Edited
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.message import Message
from mailserver.sieve.program import Program
from mailserver.sieve.run import run
from mailserver.store import flags as bits

_BITS = {name.lower(): bit for bit, name in bits.NAMES.items()}


class Compiled(NamedTuple):
    """One script of an account.  program: None where it does not compile any more; *error* says why."""

    name: str
    program: Program | None
    error: ScriptError | None = None


class Copy(NamedTuple):
    """One copy into a mailbox.

    mailbox:  its name, "" for INBOX.  Where it is not there, the copy goes to INBOX unless *creates*.
    edited:   the message as a script made it; None: as it came.
    is_implicit: no script said anything of where it goes.
    """

    mailbox: str = ""
    flags: int = 0
    keywords: tuple[str, ...] = ()
    creates: bool = False
    special_use: str = ""
    mailbox_id: str = ""
    edited: Edited | None = None
    is_implicit: bool = False


#: where mail goes that is probably forged
JUNK = Copy("Junk", creates=True, special_use="\\Junk")


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a message for one account.

    seen:  what the scripts have seen now: key -> seconds for which it is remembered.
    notes: for the trace, one for each thing that was decided.
    error: what is wrong with a script, for its owner; "": nothing.
    """

    copies: tuple[Copy, ...]
    redirects: tuple[Redirect, ...] = ()
    rejection: Reject | None = None
    answer: Vacation | None = None
    notifications: tuple[Notify, ...] = ()
    seen: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""


#: what becomes of mail for somebody who has no script
JUST_KEPT: Final = Plan((Copy(is_implicit=True),))


def plan(
    scripts: Sequence[Compiled],
    message: Message,
    environment: Environment,
    limits: SieveLimits,
    seen: Sequence[tuple[str, int]] = (),
) -> Plan:
    """The plan that *scripts* make.  seen: filled by the environment while they run.

    An error in one of them ends all: the message is kept (RFC 5228 §2.10.6).
    """
    collected = _Collected()
    for script in scripts:
        if script.program is None:
            return _broken(script.name, str(script.error))
        if collected.flags != environment.flags:
            environment = replace(environment, flags=collected.flags)
        done = run(script.program, message, environment, limits)
        if done.error is not None:
            return _broken(script.name, str(done.error))
        collected.kept = None
        for action in done.actions:
            collected.add(script.name, action)
        if collected.kept is None:
            break
    return collected.plan(tuple(seen))


def copy_of(action: FileInto) -> Copy:
    """The copy that it asks for."""
    flags, keywords = stored_flags(action.flags)
    return Copy(
        "" if action.mailbox.upper() == "INBOX" else action.mailbox,
        flags,
        keywords,
        action.creates,
        action.special_use,
        action.mailbox_id,
        action.edited,
    )


def _broken(name: str, error: str) -> Plan:
    text = f'script "{name}": {error}'
    return replace(JUST_KEPT, notes=(f"{text}; kept",), error=text)


class _Collected:
    """The actions of all scripts."""

    def __init__(self) -> None:
        self.copies: dict[tuple[str, str, str], Copy] = {}
        self.redirects: dict[str, Redirect] = {}
        self.kept: Keep | None = Keep(is_implicit=True)  # until a script says otherwise
        self.flags: tuple[str, ...] | None = None
        self.rejection: Reject | None = None
        self.answer: Vacation | None = None
        self.notifications: list[Notify] = []
        self.notes: list[str] = []

    def add(self, script: str, action: object) -> None:
        match action:
            case Keep():
                self.kept, self.flags = action, action.flags
                if not action.is_implicit:
                    self._note(script, action.line, "kept")
            case FileInto():
                copy = copy_of(action)
                self.copies[copy.mailbox, copy.special_use, copy.mailbox_id] = copy
                self._note(script, action.line, f'filed into "{action.mailbox}"')
            case Redirect():
                self.redirects.setdefault(action.address.lower(), action)
                self._note(script, action.line, f"sent on to {action.address}")
            case Discard():
                self._note(script, action.line, "thrown away")
            case Reject():
                self.rejection = action
                self._note(script, action.line, "refused")
            case Vacation():
                self.answer = self.answer or action
                self._note(script, action.line, "answered")
            case Notify():
                self.notifications.append(action)
                self._note(script, action.line, f"notified {', '.join(action.told)}")

    def _note(self, script: str, line: int, what: str) -> None:
        self.notes.append(f'script "{script}", line {line}: {what}')

    def plan(self, seen: tuple[tuple[str, int], ...]) -> Plan:
        copies = dict(self.copies)
        if self.kept is not None:
            flags, keywords = stored_flags(self.kept.flags)
            copies["", "", ""] = Copy(
                "",
                flags,
                keywords,
                edited=self.kept.edited,
                is_implicit=self.kept.is_implicit,
            )
        return Plan(
            tuple(copies.values()),
            tuple(self.redirects.values()),
            self.rejection,
            self.answer,
            tuple(self.notifications),
            seen,
            tuple(self.notes),
        )


def stored_flags(names: tuple[str, ...] | None) -> tuple[int, tuple[str, ...]]:
    """System flags as bits, and keywords; what cannot be stored is left out (RFC 5232 §2)."""
    value, keywords = 0, []
    for name in names or ():
        if name.startswith("\\"):
            value |= _BITS.get(name.lower(), 0)
        else:
            keywords.append(name)
    return value, tuple(keywords)
