"""A Sieve script tried on mail that is there already; what it would have done, done; and taken back.

Spec: RFC 5228 §2.10.  Status: complete.

Messages are looked at in slices, each in one short transaction, and changed in slices, each in one, so that the server
goes on with its work, and memory does not depend on how many there are.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from mailserver.app.answers import moment
from mailserver.app.trying import first_address, shown
from mailserver.base.errors import Cannot, NotFound
from mailserver.base.ids import BlobId, MessageId, Uid
from mailserver.base.limits import Limits
from mailserver.directory.annotations import annotations
from mailserver.directory.lists import AccountLists
from mailserver.directory.scripts import loader
from mailserver.directory.time_zones import local
from mailserver.imap.searching.octets import Octets
from mailserver.mime import layout
from mailserver.mta import applying
from mailserver.mta.applying import Wanted
from mailserver.servers.filters import knowing
from mailserver.sieve.actions import Action, Discard, FileInto, Keep
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.extensions.imapsieve import NO_USER
from mailserver.sieve.message import Message
from mailserver.sieve.program import Program
from mailserver.sieve.run import Outcome, run
from mailserver.sieve.scores import Scores
from mailserver.store.applied import Application, AppliedMessage
from mailserver.store.scripts import Owner
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account, Mailbox

READ = 50  #: messages of one reading transaction
WRITTEN = 100  #: messages of one writing transaction
_COLUMNS = ("uid", "message", "blob", "size", "header_size", "layout", "internal_at", "subject")


class Tried(NamedTuple):
    """What the script does with one message.  texts: its actions in words, in order."""

    wanted: Wanted
    subject: str
    received_at: int
    error: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A script, compiled, and the messages that it is tried on: the last ones of a mailbox."""

    account: Account
    mailbox: Mailbox
    program: Program
    uids: tuple[Uid, ...]
    scores: Scores


def begin(
    tx: Read,
    account: Account,
    name: str,
    script: bytes,
    last: int,
    limits: Limits,
    scores: Scores,
) -> Trial:
    """The trial of *script* on the *last* messages of the mailbox *name*; it includes what the user has.

    Raises NotFound for the mailbox, ScriptError.
    """
    mailbox = tx.mailboxes.get(account.id, name)
    load = loader(tx, Owner(account=account.id))
    program = compile_script(script, limits.sieve, load=load)
    uids = tuple(Uid(uid) for uid in tx.messages.uids(mailbox.id)[-last:])
    return Trial(account, mailbox, program, uids, scores)


def tried(store: Store, trial: Trial, limits: Limits) -> Iterator[Tried]:
    """What the script does with each message, the oldest first; those that are gone by now are left out.

    Time is that at which a message came; a `duplicate` is one of an earlier message among these.
    """
    seen: set[str] = set()
    for at in range(0, len(trial.uids), READ):
        some = trial.uids[at : at + READ]
        yield from store.read_now(partial(_slice, trial=trial, uids=some, seen=seen, limits=limits))


def _slice(
    tx: Read, trial: Trial, uids: tuple[Uid, ...], seen: set[str], limits: Limits
) -> list[Tried]:
    def is_duplicate(key: str, seconds: int, renews: bool) -> bool:
        is_known = key in seen
        if len(seen) < 100_000:
            seen.add(key)
        return is_known

    account = trial.account
    base = Environment(
        recipient=account.address,
        items={"location": "MDA", "phase": "during", "name": "mailserver", **NO_USER},
        scores=trial.scores,
        lists=AccountLists(tx, account),
        is_duplicate=is_duplicate,
        annotation=annotations(tx, account.id),
    )
    base = knowing(tx, account, base)
    out = []
    for row in list(tx.messages.rows(trial.mailbox.id, uids, *_COLUMNS)):
        uid, id, blob, size, header_size, packed, received_at, subject = row
        octets = Octets(tx, BlobId(blob), size)
        message = Message(octets, header_size, size, partial(layout.unpack, packed))
        sender = first_address(message, "return-path", "sender", "from")
        now = local(account, received_at)
        done = run(trial.program, message, replace(base, sender=sender, now=now), limits.sieve)
        wish = applying.wish(done)
        wanted = Wanted(Uid(uid), MessageId(id), wish)
        error = "" if done.error is None else str(done.error)
        texts = tuple(_said(action) for action in done.actions if not _is_usual(action, done))
        out.append(Tried(wanted, subject or "", received_at, error, texts))
    return out


def _is_usual(action: Action, done: Outcome) -> bool:
    """Whether the action is to leave the message where it is, and nothing else."""
    return isinstance(action, Keep) and action.is_implicit and not action.flags


def _said(action: Action) -> str:
    """The action in words, and what of it is not done to mail that is there already."""
    text = shown(action)
    if isinstance(action, Discard):
        return f"{text}: with --apply, into Trash"
    if not isinstance(action, Keep | FileInto):
        return f"{text}: not done to mail that is there already"
    if action.edited is not None:
        return f"{text}: the message stays as it came"
    return text


def lines(one: Tried) -> list[str]:
    """What is told of a message; nothing where nothing happens."""
    if not one.texts and not one.error:
        return []
    error = [f"  error: {one.error}; so the message is kept"] if one.error else []
    head = f"UID {one.wanted.uid}  {moment(one.received_at)}  {one.subject[:80]}"
    return [head, *error, *(f"  -> {text}" for text in one.texts)]


def as_object(one: Tried) -> dict[str, Any]:
    """The same for programs."""
    return {
        "uid": one.wanted.uid,
        "received_at": moment(one.received_at),
        "subject": one.subject,
        "error": one.error or None,
        "actions": list(one.texts),
        "changes": not one.wanted.wish.is_nothing,
    }


class Sum:
    """How often what happened."""

    def __init__(self) -> None:
        self.messages = 0
        self.counts: Counter[str] = Counter()

    def add(self, one: Tried) -> None:
        """One more."""
        wish = one.wanted.wish
        self.messages += 1
        for copy in wish.copies:
            what = "thrown away" if copy is applying.TRASH else f'filed into "{copy.mailbox}"'
            self.counts[what] += 1
        if wish.flags or wish.keywords:
            self.counts["marked"] += 1
        if one.error:
            self.counts["with an error"] += 1
        if wish.is_nothing and not one.error:
            self.counts["left where they are"] += 1

    def line(self) -> str:
        """All of it in one line."""
        parts = [f"{count} {what}" for what, count in self.counts.most_common(20)]
        return f"{self.messages} messages: {', '.join(parts) or 'nothing happens'}"


# applied, and undone


def apply(store: Store, trial: Trial, limits: Limits, name: str) -> tuple[int, Sum, int]:
    """(Its number for `undo`, what was tried, messages changed); 0 and nothing changed where nothing is to be done."""
    total, changed, number = Sum(), 0, 0
    waiting: list[Wanted] = []

    def flush() -> None:
        nonlocal changed, number
        if not waiting:
            return

        def job(tx: Write) -> tuple[int, int]:
            tx.applied.forget(trial.account.id, tx.now - limits.sieve.undo_days * 86_400)
            id = number or tx.applied.begin(trial.account.id, trial.mailbox.id, name)
            done = applying.apply(tx, trial.account.id, trial.mailbox.id, waiting)
            tx.applied.note(id, done)
            return id, len(done)

        number, some = store.write_now(job)
        changed += some
        waiting.clear()

    for one in tried(store, trial, limits):
        total.add(one)
        if not one.wanted.wish.is_nothing:
            waiting.append(one.wanted)
        if len(waiting) >= WRITTEN:
            flush()
    flush()
    return number, total, changed


class Undone(NamedTuple):
    """back: messages that are where they were.    changed: UIDs that those had which somebody has changed since."""

    back: int
    changed: list[Uid]


def undo(store: Store, number: int, *, skips: bool) -> Undone:
    """What application *number* did is taken back; all of it, or with *skips* what nobody has changed since.

    Raises NotFound, Cannot.
    """
    application = store.read_now(lambda tx: _undoable(tx, number))
    if not skips:
        changed = [
            one.uid
            for some in _applied(store, number)
            for one in store.read_now(
                partial(applying.changed_since, mailbox=application.mailbox, done=some)
            )
        ]
        if changed:
            shown = ", ".join(map(str, changed[:20])) + (" ..." if changed[20:] else "")
            raise Cannot(
                f"{len(changed)} messages were moved or deleted since (they had UID {shown}): nothing was done."
                "  --rest takes back what was done to the others."
            )
    back, changed = 0, []
    for some in _applied(store, number):

        def job(tx: Write, some: list[AppliedMessage] = some) -> tuple[int, list[Uid]]:
            _undoable(tx, number)
            done, not_done = applying.undo(tx, application.mailbox, some)
            tx.applied.undone(number, [one.uid for one in done])
            return len(done), [one.uid for one in not_done]

        count, left = store.write_now(job)
        back += count
        changed += left
    return Undone(back, changed)


def _undoable(tx: Read, number: int) -> Application:
    found = tx.applied.get(number)
    if found.undone_at is not None:
        raise Cannot(f"Number {number} was undone at {moment(found.undone_at)}.")
    if tx.mailboxes.by_id(found.mailbox) is None:
        raise NotFound("The mailbox where the messages were is gone.")
    return found


def _applied(store: Store, number: int) -> Iterator[list[AppliedMessage]]:
    above = 0
    while True:
        some = store.read_now(partial(_some, number=number, above=above))
        if not some:
            return
        yield some
        above = some[-1].uid


def _some(tx: Read, number: int, above: int) -> list[AppliedMessage]:
    return tx.applied.messages(number, above, WRITTEN)
