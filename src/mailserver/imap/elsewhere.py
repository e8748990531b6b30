r"""What a client has been told of all mailboxes but the selected one, and what of it is news.

Spec: RFC 5465 §3.1, §5; RFC 5464 §4.4.  Status: complete.

The state of an account is read as it is and compared with what was told before: so it makes no difference in which
process something happened, how often, or how long a client did not listen.  Only annotations come with their modseqs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailserver.base.ids import AccountId, MailboxId, ModSeq
from mailserver.imap import access, metadata, names, response
from mailserver.imap.access import Visible
from mailserver.imap.listing import Listing
from mailserver.imap.notify import Request
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.imap.statuses import Statuses
from mailserver.store.annotations import SERVER, SHARED, Changed
from mailserver.store.tx import Read
from mailserver.store.values import Mailbox


@dataclass(frozen=True, slots=True)
class State:
    """Everything that one account may look up, as of one moment.

    modseqs:      of the account itself and of all whose mailboxes it sees.
    annotations:  what of each of them was set or removed since the modseqs that were asked about.
    """

    modseqs: Mapping[AccountId, ModSeq]
    mailboxes: Mapping[MailboxId, Visible]
    subscriptions: frozenset[str]
    annotations: Mapping[AccountId, list[Changed]] = field(default_factory=dict)


def read(session: Session, tx: Read, since: Mapping[AccountId, ModSeq] | None = None) -> State:
    """The state now, with the annotations that have changed *since*; None for no such question."""
    user = session.account.id
    visible = access.visible(session, tx)
    owners = {user, *(seen.mailbox.account for seen in visible)}
    annotations: dict[AccountId, list[Changed]] = {}
    for owner in owners if since is not None else ():
        if since is not None and owner in since:
            changed = tx.annotations.changed(owner, since[owner])
            if owner != user:
                changed = [row for row in changed if row.entry.startswith(SHARED)]
            annotations[owner] = changed
    return State(
        tx.accounts.modseqs(owners),
        {seen.mailbox.id: seen for seen in visible},
        frozenset(tx.mailboxes.subscriptions(user)),
        annotations,
    )


def is_older(state: State, than: State) -> bool:
    """*state* is of an earlier moment."""
    return any(state.modseqs.get(account, m) < m for account, m in than.modseqs.items())


def only(before: State, now: State, mine: set[tuple[AccountId, ModSeq]]) -> bool:
    """All that happened in between was done by whoever committed *mine* (RFC 5465 §5)."""
    if not mine or _of_others(before, mine) != _of_others(now, mine):
        return False
    for account, modseq in now.modseqs.items():
        first = before.modseqs.get(account, ModSeq(modseq - 1)) + 1
        if modseq - first >= len(mine):
            return False
        if any((account, ModSeq(step)) not in mine for step in range(first, modseq + 1)):
            return False
    return True


def _of_others(
    state: State, mine: set[tuple[AccountId, ModSeq]]
) -> set[tuple[MailboxId, str, str]]:
    """Mailboxes in accounts where nothing of *mine* happened, and rights to them: these change without a modseq."""
    own = {account for account, _ in mine}
    return {
        (id_, seen.name, seen.rights)
        for id_, seen in state.mailboxes.items()
        if seen.mailbox.account not in own
    }


def news(session: Session, request: Request, before: State, now: State) -> list[Response]:
    """What the client is to hear of what has changed in between."""
    telling = _Telling(session, request, before, now)
    return [*telling.names(), *telling.counters(), *telling.annotations()]


def statuses(session: Session, request: Request, tx: Read, now: State) -> list[Response]:
    r"""What a client that begins to listen hears: counters, if it wants them, and where it lacks a right.

    RFC 5465 §3.1.
    """
    selected = session.selected.mailbox if session.selected is not None else None
    out: list[Response] = []
    for seen in now.mailboxes.values():
        events = request.events(seen.name, now.subscriptions)
        if not events or not seen.mailbox.is_selectable:
            continue
        name = names.encode(seen.name, is_utf8=session.is_utf8)
        if "r" not in seen.rights:
            out.append(response.mailbox_list(("\\NoAccess",), name))
        elif request.wants_status and "MessageNew" in events and seen.mailbox.id != selected:
            items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
            items += ["HIGHESTMODSEQ"] if "FlagChange" in events else []
            found = Statuses(tx, items, session.limits).of(seen.mailbox)
            out.append(response.status(name, found))
    return out


class _Telling:
    """One comparison of two states."""

    def __init__(self, session: Session, request: Request, before: State, now: State) -> None:
        self._session, self._request = session, request
        self._before, self._now = before, now
        self._subscriptions = before.subscriptions | now.subscriptions
        old = before.mailboxes
        #: of everything that follows, only these are looked at one by one: (before, now)
        self._changed = [
            (old.get(id_), seen) for id_, seen in now.mailboxes.items() if old.get(id_) != seen
        ]
        self._gone = [old[id_] for id_ in old.keys() - now.mailboxes.keys()]

    def names(self) -> Iterator[Response]:
        """MailboxName and SubscriptionChange (RFC 5465 §5.4, §5.5)."""
        before, now = self._before, self._now
        renamed = {  # new name -> old name
            seen.name: was.name
            for was, seen in self._changed
            if was is not None and was.name != seen.name
        }
        affected: set[str] = set()
        for seen in (*self._gone, *(seen for was, seen in self._changed if was is None)):
            affected |= {seen.name, seen.name.rpartition("/")[0]} - {""}
        resubscribed = before.subscriptions ^ now.subscriptions
        if not (renamed or affected or resubscribed):
            return
        listing = Listing(list(now.mailboxes.values()), now.subscriptions, self._session.account.id)
        moved = _in_order(renamed)
        for name in [*moved, *sorted((affected | resubscribed | renamed.keys()) - {*moved})]:
            old = renamed.get(name) if name in moved else None
            by_name = (old is not None and not _follows(name, old, renamed)) or name in affected
            by_name = by_name or (name in renamed and old is None)
            told = (by_name and self._wants("MailboxName", name, old)) or (
                name in resubscribed and self._wants("SubscriptionChange", name)
            )
            if not told:
                continue
            attributes = listing.attributes(name)
            if name in resubscribed and name in now.subscriptions:
                attributes = (*attributes, "\\Subscribed")
            was = b'"OLDNAME" (%b)' % self._wire(old) if old is not None else b""
            yield response.mailbox_list(attributes, self._wire(name), extended=was)

    def counters(self) -> Iterator[Response]:
        """MessageNew, MessageExpunge and FlagChange in mailboxes that are not selected (RFC 5465 §5.1-§5.3)."""
        view = self._session.selected
        selected = view.mailbox if view is not None else None
        old_names = {was.name for was in self._gone}
        for was, seen in self._changed:
            mailbox = seen.mailbox
            if mailbox.id == selected or "r" not in seen.rights or not mailbox.is_selectable:
                continue
            if was is not None and _counters(was.mailbox) == _counters(mailbox):
                continue
            if was is None and mailbox.uidnext == 1 and seen.name not in old_names:
                continue  # that it is there is all there is to know
            events = self._request.events(seen.name, self._subscriptions)
            if items := self._status(was.mailbox if was is not None else None, seen, events):
                yield response.status(self._wire(seen.name), items)

    def _status(
        self, was: Mailbox | None, seen: Visible, events: frozenset[str]
    ) -> list[tuple[str, str]]:
        now, condstore = seen.mailbox, self._session.has_condstore
        items: dict[str, int] = {}
        is_new = was is None or was.uidvalidity != now.uidvalidity
        if "MessageNew" not in events:
            return []
        if is_new or was is None or (was.uidnext, was.exists) != (now.uidnext, now.exists):
            items |= {"UIDNEXT": now.uidnext, "MESSAGES": now.exists}
            items |= {"HIGHESTMODSEQ": now.modseq} if condstore else {}
        if "FlagChange" in events and was is not None:
            if was.unseen != now.unseen:
                items["UNSEEN"] = now.unseen
            if condstore and was.modseq != now.modseq:
                items |= {"HIGHESTMODSEQ": now.modseq, "UIDVALIDITY": now.uidvalidity}
        if is_new:
            items["UIDVALIDITY"] = now.uidvalidity
        return [(name, str(value)) for name, value in items.items()]

    def annotations(self) -> Iterator[Response]:
        """MailboxMetadataChange and ServerMetadataChange (RFC 5465 §5.6, §5.7)."""
        before, now, user = self._before, self._now, self._session.account.id
        changed: dict[MailboxId, dict[str, None]] = {}
        for account, rows in now.annotations.items():
            since = before.modseqs.get(account)
            for row in rows:
                if since is not None and row.modseq > since:
                    changed.setdefault(row.mailbox, {})[row.entry] = None
        for was, seen in self._changed:
            if (
                was is not None
                and seen.mailbox.account == user
                and was.mailbox.special_use != seen.mailbox.special_use
            ):
                changed.setdefault(seen.mailbox.id, {})[metadata.SPECIAL_USE] = None
        if (of_server := changed.pop(SERVER, None)) and self._request.wants_server:
            yield metadata.changed(self._session, "", of_server)
        for id_, entries in changed.items():
            about = now.mailboxes.get(id_)
            if (
                about is not None
                and metadata.READING & set(about.rights)
                and self._wants("MailboxMetadataChange", about.name)
            ):
                yield metadata.changed(self._session, about.name, entries)

    def _wants(self, event: str, name: str, old: str | None = None) -> bool:
        events = self._request.events
        return event in events(name, self._subscriptions) or (
            old is not None and event in events(old, self._subscriptions)
        )

    def _wire(self, name: str) -> bytes:
        return names.encode(name, is_utf8=self._session.is_utf8)


def _counters(mailbox: Mailbox) -> tuple[int, ...]:
    return mailbox.uidvalidity, mailbox.uidnext, mailbox.exists, mailbox.modseq, mailbox.unseen


def _in_order(renamed: Mapping[str, str]) -> list[str]:
    """The new names in an order in which a name is free before another mailbox takes it.

    Those that went round in a circle are left out: their names only have other mailboxes now.
    """
    out: list[str] = []
    left = dict(sorted(renamed.items()))
    while True:
        taken = set(left.values())
        free = [new for new in left if new not in taken]
        if not free:
            return out
        out += free
        for new in free:
            del left[new]


def _follows(name: str, old: str, renamed: Mapping[str, str]) -> bool:
    """A name above was renamed, and this one only went with it (RFC 5465 §5.4)."""
    above, _, last = name.rpartition("/")
    old_above, _, old_last = old.rpartition("/")
    return bool(above) and last == old_last and renamed.get(above) == old_above
