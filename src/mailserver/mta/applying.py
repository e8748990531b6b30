"""A script's actions carried out on mail that is there already, and taken back.

Spec: RFC 5228 §4; RFC 5232 §5.  Status: complete.

Nothing is sent: redirects, refusals, answers and notifications are left out, and mail that only they would have taken
stays.  Nothing is edited.  What would be thrown away goes into Trash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailserver.base.errors import LimitReached
from mailserver.base.ids import AccountId, MailboxId, MessageId, Uid
from mailserver.mta.deliver import mailbox_of
from mailserver.mta.filtering import Copy, stored_flags
from mailserver.sieve.actions import Discard, FileInto, Keep
from mailserver.sieve.run import Outcome
from mailserver.store import flags as bits
from mailserver.store.applied import AppliedMessage
from mailserver.store.tx import Read, Write

TRASH = Copy("Trash", creates=True, special_use="\\Trash")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a script wants for a message that is in a mailbox.

    copies: where it shall be, if not *stays* instead of where it is.      flags, keywords: that it shall have there.
    """

    copies: tuple[Copy, ...] = ()
    stays: bool = True
    flags: int = 0
    keywords: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether all stays as it is."""
        return self.stays and not self.copies and not self.flags and not self.keywords


class Wanted(NamedTuple):
    """A wish for one message.  message: what has this UID; if something else has, nothing is done."""

    uid: Uid
    message: MessageId
    wish: Wish


def wish(outcome: Outcome) -> Wish:
    """What of *outcome* can be done to a message that is there."""
    if outcome.error is not None:
        return Wish()
    copies: list[Copy] = []
    keeps = is_sent = discards = False
    flags = 0
    keywords: tuple[str, ...] = ()
    for action in outcome.actions:
        match action:
            case Keep():
                keeps = True
                flags, keywords = stored_flags(action.flags)
            case FileInto():
                copies.append(
                    Copy(
                        action.mailbox,
                        *stored_flags(action.flags),
                        action.creates,
                        action.special_use,
                        action.mailbox_id,
                    )
                )
            case Discard():
                discards = True
            case _:
                is_sent = True
    if discards and not (copies or keeps or is_sent):
        return Wish((TRASH,), stays=False)
    return Wish(tuple(copies), keeps or not copies, flags, keywords)


# doing


def apply(
    tx: Write, account: AccountId, mailbox: MailboxId, wanted: Sequence[Wanted]
) -> list[AppliedMessage]:
    """What was done: one for each message that was moved, copied or marked.

    A message that is gone, or is already where it shall be, stays as it is.  Flags are added; none is taken away.
    """
    done: list[AppliedMessage] = []
    keywords: tuple[str, ...]
    there = _there(tx, mailbox, [one.uid for one in wanted])
    for uid, message, wish in wanted:
        if there.get(uid) != message:
            continue
        places: list[tuple[MailboxId, Uid]] = []
        flags, keywords = 0, ()
        is_there = wish.stays
        for copy in wish.copies:
            target = mailbox_of(tx, account, copy)
            if target is None or target == mailbox:  # it stays where it can be found
                is_there = True
                continue
            if any(at == target for at, _ in places):
                continue
            if tx.messages.places_of(target, [message]):
                is_there = True
                continue
            ((_, new),) = tx.messages.copy(mailbox, [uid], target)
            added = _add_flags(tx, target, new, copy.flags, copy.keywords)
            if not places:
                flags, keywords = added  # what it would bring back from there
            places.append((target, new))
        if is_there:
            flags, keywords = _add_flags(tx, mailbox, uid, wish.flags, wish.keywords)
        else:
            _take_away(tx, mailbox, uid)
        if places or flags or keywords:
            done.append(AppliedMessage(uid, message, not is_there, flags, keywords, tuple(places)))
    return done


def _add_flags(
    tx: Write, mailbox: MailboxId, uid: Uid, flags: int, keywords: tuple[str, ...]
) -> tuple[int, tuple[str, ...]]:
    """Those that the message got, and had not."""
    if not flags and not keywords:
        return 0, ()
    before, had = _flags(tx, mailbox, uid)
    try:
        tx.messages.change_flags(mailbox, [uid], "add", flags, keywords)
    except LimitReached:
        tx.messages.change_flags(mailbox, [uid], "add", flags)
    after, has = _flags(tx, mailbox, uid)
    return after & ~before, tuple(sorted(has - had))


def _flags(tx: Read, mailbox: MailboxId, uid: Uid) -> tuple[int, set[str]]:
    ((flags, keywords),) = tx.messages.rows(mailbox, [uid], "flags", "keywords")
    return flags, set(keywords.split())


def _take_away(tx: Write, mailbox: MailboxId, uid: Uid) -> None:
    """The placement goes, the message stays in others."""
    tx.messages.change_flags(mailbox, [uid], "add", bits.DELETED)
    tx.messages.expunge(mailbox, [uid])


# undoing


def changed_since(
    tx: Read, mailbox: MailboxId, done: Sequence[AppliedMessage]
) -> list[AppliedMessage]:
    """Those of *done* that somebody has moved or deleted since."""
    return [one for one in done if not _is_as_left(tx, mailbox, one)]


def undo(
    tx: Write, mailbox: MailboxId, done: Sequence[AppliedMessage]
) -> tuple[list[AppliedMessage], list[AppliedMessage]]:
    """(Those that are where they were, those that somebody has moved or deleted since, which stay as they are).

    A message that left comes back with a new UID; flags that it got are taken away, those that others gave it stay.
    """
    back, changed = [], []
    for one in done:
        if not _is_as_left(tx, mailbox, one):
            changed.append(one)
            continue
        uid, places = one.uid, list(one.places)
        if one.has_left:
            box, at = places.pop(0)
            ((_, uid),) = tx.messages.copy(box, [at], mailbox)
            _take_away(tx, box, at)
        for box, at in places:
            _take_away(tx, box, at)
        if one.flags or one.keywords:
            tx.messages.change_flags(mailbox, [uid], "remove", one.flags, one.keywords)
        back.append(one)
    return back, changed


def _is_as_left(tx: Read, mailbox: MailboxId, one: AppliedMessage) -> bool:
    """Whether the message is in all places where it was put, and where it was if it stayed."""
    at_home = [] if one.has_left else [(mailbox, one.uid)]
    return all(
        _there(tx, box, [uid]).get(uid) == one.message for box, uid in (*at_home, *one.places)
    )


def _there(tx: Read, mailbox: MailboxId, uids: Sequence[Uid]) -> dict[Uid, MessageId]:
    rows = tx.messages.rows(mailbox, sorted(uids), "uid", "message")
    return {Uid(uid): MessageId(message) for uid, message in rows}
