"""A session's ear: what its client wants to hear of, and what it has heard.

Spec: RFC 5465 §3.1, §5.  Status: complete.

A client that has asked for no events in the selected mailbox is told nothing of it, whatever command it sends: it works
on the mailbox as it was.  Only a command that itself changes messages there tells all that has happened.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from mailserver.base.ids import AccountId, ModSeq, Uid
from mailserver.imap import elsewhere, response
from mailserver.imap.elsewhere import State
from mailserver.imap.fetching.plan import Plan
from mailserver.imap.notify import AS_BEFORE, Request
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.values import Delta

_MINE: Final = 10_000  # commits that are remembered
_CHANGING: Final = frozenset({"EXPUNGE", "MOVE", "REPLACE", "STORE"})


@dataclass(slots=True)
class Observer:
    """In the loop's thread only.

    state:      what was told, None: nothing yet, so that the next state is no news.
    is_stale:   something may have happened elsewhere since.
    is_acting:  the command that runs changes messages in the selected mailbox.
    mine:       what this session committed itself since the state.
    """

    request: Request
    state: State | None = None
    is_stale: bool = True
    is_acting: bool = False
    mine: set[tuple[AccountId, ModSeq]] = field(default_factory=set)

    @property
    def is_deaf(self) -> bool:
        """News of the selected mailbox are not wanted now."""
        return self.request.selected is None and not self.is_acting

    @property
    def is_pushed(self) -> bool:
        """News of the selected mailbox are wanted also while no command runs."""
        return self.request.selected is not None and self.request.selected.is_pushed

    @property
    def plan(self) -> Plan | None:
        """What is fetched of each new message in the selected mailbox (RFC 5465 §5.2)."""
        return None if self.request.selected is None else self.request.selected.plan

    @property
    def may_expunge(self) -> bool:
        """EXPUNGE may come while no command runs."""
        return self.request.selected is not None and not self.request.selected.is_delayed

    def begins(self, command: str) -> None:
        """*command* is about to run."""
        self.is_acting = command.removeprefix("UID ") in _CHANGING
        if not self.request.groups or len(self.mine) > _MINE:
            self.mine.clear()  # nobody asks, or the client will be told of what it did itself

    def filtered(self, delta: Delta) -> Delta:
        """What of *delta* is news: without changes of flags where nobody wants to know."""
        selected = self.request.selected
        if selected is None or selected.has_flags or self.is_acting:
            return delta
        return delta._replace(flags=[row for row in delta.flags if row.is_new])

    def arrived(self, delta: Delta) -> list[Uid]:
        """New messages that this session has not brought itself (RFC 5465 §5.2)."""
        mine = {modseq for _, modseq in self.mine}
        return [row.uid for row in delta.flags if row.is_new and row.modseq not in mine]

    def told(self, session: Session, now: State) -> list[Response]:
        """What the client is to hear now that the state is *now*; from then on it knows that."""
        before, mine = self.state, self.mine
        if before is not None and elsewhere.is_older(now, before):
            self.is_stale = True  # a look that began before the client asked for something else
            return []
        self.state = now
        self.mine = {(account, m) for account, m in mine if m > now.modseqs.get(account, 0)}
        most = session.limits.notify_mailboxes
        if len(now.mailboxes) > most and self.request.groups:
            self.request = replace(self.request, groups=())
            text = f"At most {most} mailboxes are watched; no more events are told."
            return [response.ok("NOTIFICATIONOVERFLOW", text)]
        if before is None or elsewhere.only(before, now, mine):
            return []
        return elsewhere.news(session, self.request, before, now)


def watch_metadata(session: Session) -> None:
    """What ENABLE METADATA means (RFC 5464 §4.4), beside whatever was asked for before."""
    observer = session.observer
    if observer is None:
        session.observer = Observer(Request(selected=AS_BEFORE).with_metadata())
    else:
        observer.request = observer.request.with_metadata()
