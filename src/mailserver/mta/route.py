"""From a recipient's address to the mailboxes that get the mail, or the refusal with its reason; cached.

Spec: RFC 5321 §3.9, §4.5.1, §7.1; RFC 3463 §3.  Status: complete for recipients on this server.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory.addresses import fold
from mailserver.directory.resolve import Nobody, Why, resolve
from mailserver.directory.senders import may_send_as
from mailserver.smtp.address import Address
from mailserver.smtp.reply import Reply
from mailserver.store.tx import Read


class Target(NamedTuple):
    """One account that gets the mail, as of the look-up."""

    account: AccountId
    mailbox: MailboxId  # its INBOX
    quota: int | None  # octets; None: no bound
    used: int
    blob_threshold: int  # octets above which its domain wants files


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for an address goes."""

    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nobody gets it."""

    why: Why


def route(tx: Read, address: Address, hostname: str) -> Route | NoRoute:
    """Who gets mail for *address* now."""
    found = resolve(tx, address, hostname)
    if isinstance(found, Nobody):
        return NoRoute(found.why)
    targets = []
    for account in found.accounts:
        try:
            inbox = tx.mailboxes.get(account.id, "INBOX").id
        except NotFound:  # pragma: no cover  # an account without INBOX is damage
            continue
        threshold = tx.domains.get(account.domain_id).blob_threshold
        targets.append(Target(account.id, inbox, account.quota, account.used, threshold))
    return Route(tuple(targets)) if targets else NoRoute(Why.LEADS_NOWHERE)


_REFUSALS: dict[Why, tuple[int, str, str]] = {
    Why.ELSEWHERE: (
        550,
        "5.7.1",
        "relaying refused: this is not one of our domains; to send mail to others log in on port 587 or 465",
    ),
    Why.INACTIVE: (550, "5.1.2", "the domain is switched off"),
    Why.UNKNOWN: (550, "5.1.1", "no such user here"),
    Why.DISABLED: (550, "5.2.1", "the account is switched off"),
    Why.ROUTED: (
        550,
        "5.7.1",
        "relaying refused: no mail is passed on for addresses inside of addresses",
    ),
    Why.LEADS_ELSEWHERE: (
        550,
        "5.4.4",
        "the alias leads to another server, and no mail is sent there from here",
    ),
    Why.LEADS_NOWHERE: (550, "5.2.4", "the alias leads to nobody"),
}

#: to a user who has logged in, and to whom the other text would be a lie
_NOT_SENT_OUT = (
    550,
    "5.4.4",
    "not one of our domains, and this server does not send mail to others",
)


def refusal(address: Address, why: Why, *, is_authenticated: bool) -> Reply:
    """What the client hears of it."""
    is_user_sending_out = why is Why.ELSEWHERE and is_authenticated
    code, status, text = _NOT_SENT_OUT if is_user_sending_out else _REFUSALS[why]
    return Reply(code, status, f"{shown(address)}: {text}")


def accepted(address: Address) -> Reply:
    """A recipient that is fine."""
    return Reply(250, "2.1.5", f"{shown(address)} OK")


def full(address: Address) -> Reply:
    """A recipient whose quota is used up (RFC 3463 §3.3)."""
    return Reply(452, "4.2.2", f"{shown(address)}: mailbox full, try again later")


def shown(address: Address | None) -> str:
    """An address for a reply: ASCII, one line, not endless (RFC 5321 §4.5.3.1.5; RFC 6531 §3.7.4.2)."""
    text = str(address or "").encode("ascii", "backslashreplace").decode()
    return f"<{text}>" if len(text) <= 250 else f"<{text[:250]}...>"


class _Entry(NamedTuple):
    route: Route | NoRoute
    expires_at: float


class Routes:
    """A bounded memory of routes and of who may send as whom; dropped when the directory changes.

    Times are seconds of any one clock.  Quotas move without the directory: entries are good for *ttl_s* only, a
    mailbox that looks nearly full is always looked up anew, and one that a message did not fit into is remembered with
    the room that was missing, so that the sender's next attempt leaves it out and the other recipients get theirs.
    """

    __slots__ = ("_entries", "_owned", "_size", "_tight", "_ttl_s", "epoch")

    def __init__(self, *, ttl_s: float = 60.0, size: int = 10_000) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._entries: OrderedDict[Address, _Entry] = OrderedDict()
        self._owned: OrderedDict[tuple[AccountId, Address], bool] = OrderedDict()
        self._tight: OrderedDict[AccountId, int] = OrderedDict()
        self.epoch = 0  # grows with every `clear`

    def get(self, address: Address, now: float) -> Route | NoRoute | None:
        """What is known of the (normalised) *address*; None: look it up."""
        entry = self._entries.get(address)
        if entry is None or entry.expires_at <= now:
            return None
        if isinstance(entry.route, Route) and any(map(self._is_near, entry.route.targets)):
            return None
        return entry.route

    def put(self, address: Address, found: Route | NoRoute, now: float, epoch: int) -> None:
        """Remember it; not if the directory has changed since *epoch* was read."""
        if epoch != self.epoch:
            return
        self._entries[address] = _Entry(found, now + self._ttl_s)
        self._entries.move_to_end(address)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def may_send_as(self, account: AccountId, address: Address) -> bool | None:
        """What is known; None: look it up."""
        return self._owned.get((account, address))

    def put_owned(self, account: AccountId, address: Address, is_his: bool, epoch: int) -> None:
        """Remember it; not if the directory has changed since *epoch* was read."""
        if epoch != self.epoch:
            return
        self._owned[account, address] = is_his
        if len(self._owned) > self._size:
            self._owned.popitem(last=False)

    def has_room(self, found: Route | NoRoute, size: int) -> bool:
        """Whether a message of *size* octets, at least, has room with all targets, for all that is known now."""
        for target in found.targets if isinstance(found, Route) else ():
            if target.quota is None:
                continue
            wanted = max(size, self._tight.get(target.account, 0), 1)
            if target.used + wanted > target.quota:
                return False
            self._tight.pop(target.account, None)
        return True

    def was_full(self, account: AccountId, size: int) -> None:
        """A message of *size* octets did not fit into *account*."""
        self._tight[account] = min(size, self._tight.get(account, size))
        if len(self._tight) > self._size:
            self._tight.popitem(last=False)

    def clear(self) -> None:
        """The directory has changed."""
        self._entries.clear()
        self._owned.clear()
        self.epoch += 1

    def _is_near(self, target: Target) -> bool:
        if target.quota is None:
            return False
        return target.account in self._tight or target.used > target.quota * 0.9


def key(address: Address, local: str) -> Address:
    """The one spelling of *address* under which routes are kept; "" for the home domain.

    local: our address literal on this connection; mail for it is for the home domain (RFC 5321 §4.1.3).
    """
    domain = "" if address.domain == local else address.domain
    return Address(fold(address.localpart), domain)


def own(tx: Read, account: AccountId, addresses: list[Address], hostname: str) -> list[bool]:
    """Of each address whether *account* may send as it."""
    return [may_send_as(tx, account, address, hostname) for address in addresses]
