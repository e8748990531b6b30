"""From a recipient's address to the mailboxes that get the mail, or the refusal with its reason; cached.

Spec: RFC 5321 §3.9, §4.5.1, §7.1; RFC 3463 §3.  Status: complete.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory.addresses import fold
from mailserver.directory.resolve import POSTMASTER, Away, Nobody, Why, resolve
from mailserver.directory.senders import may_send_as
from mailserver.mta.nexthop import REJECT, Hops, choose
from mailserver.smtp.address import Address
from mailserver.smtp.reply import Reply
from mailserver.store.tx import Read
from mailserver.store.values import Account


class Target(NamedTuple):
    """One account that gets the mail, as of the look-up."""

    account: AccountId
    mailbox: MailboxId  # its INBOX
    quota: int | None  # octets; None: no bound
    used: int
    blob_threshold: int  # octets above which its domain wants files


class Remote(NamedTuple):
    """An address on another server that gets a copy.

    forwarder:  the address of ours that passes the mail on; None when the client itself named *address*.
    account:    whose forward it is, if it is anybody's.
    notices_to: who hears of failures; None: the sender, "": nobody.
    """

    address: Address
    forwarder: Address | None = None
    account: AccountId | None = None
    notices_to: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for an address goes: into mailboxes here, to other servers, or both.

    passing: accounts that have it forwarded and keep no copy; notices are filed there all the same.
    """

    targets: tuple[Target, ...]
    remotes: tuple[Remote, ...] = ()
    passing: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nobody gets it."""

    why: Why


def route(tx: Read, address: Address, hostname: str) -> Route | NoRoute:
    """Who gets mail for *address* now."""
    found = resolve(tx, address, hostname)
    if isinstance(found, Nobody):
        return NoRoute(found.why)
    targets = tuple(_targets(tx, found.accounts))
    remotes = tuple(map(_remote, found.away))
    if not targets and not remotes:
        return NoRoute(Why.LEADS_NOWHERE)  # pragma: no cover  # accounts without INBOX are damage
    return Route(targets, remotes, tuple(_targets(tx, found.passing)))


def elsewhere(address: Address, sender: Address | None, hops: Hops) -> Route | NoRoute:
    """The route of an address on another server that a user sends mail to."""
    if choose(hops, str(sender or ""), address.domain) == REJECT:
        return NoRoute(Why.REJECTED)
    return Route((), (Remote(address),))


def hops(tx: Read, smarthost: str) -> Hops:
    """All that decides about next hops; smarthost: the configuration's, "smtp:HOST:PORT" or ""."""
    routes = {route.domain: route.destination for route in tx.routes.list()}
    return Hops(routes, tx.routes.smarthosts(), smarthost)


def _targets(tx: Read, accounts: Iterable[Account]) -> Iterator[Target]:
    for account in accounts:
        try:
            inbox = tx.mailboxes.get(account.id, "INBOX").id
        except NotFound:  # pragma: no cover  # an account without INBOX is damage
            continue
        threshold = tx.domains.get(account.domain_id).blob_threshold
        yield Target(account.id, inbox, account.quota, account.used, threshold)


def _remote(away: Away) -> Remote:
    """Failures are told to whose forward it is, never to a sender whom nobody has verified."""
    reader = away.by if away.account is not None else Address(POSTMASTER, away.by.domain)
    return Remote(away.address, away.by, away.account, str(reader))


_REFUSALS: dict[Why, tuple[int, str, str]] = {
    Why.ELSEWHERE: (  # to strangers only: users may send anywhere
        550,
        "5.7.1",
        "relaying refused: this is not one of our domains; to send mail to others log in on port 587 or 465",
    ),
    Why.BACKUP: (450, "4.4.3", "its primary servers cannot be asked about it, try again later"),
    Why.INACTIVE: (550, "5.1.2", "the domain is switched off"),
    Why.UNKNOWN: (550, "5.1.1", "no such user here"),
    Why.DISABLED: (550, "5.2.1", "the account is switched off"),
    Why.ROUTED: (
        550,
        "5.7.1",
        "relaying refused: no mail is passed on for addresses inside of addresses",
    ),
    Why.LEADS_NOWHERE: (550, "5.2.4", "the alias leads to nobody"),
    Why.REJECTED: (550, "5.4.4", "no mail is sent to this domain from here"),
}


def refusal(address: Address, why: Why) -> Reply:
    """What the client hears of it."""
    code, status, text = _REFUSALS[why]
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

    __slots__ = ("_entries", "_owned", "_size", "_tight", "_ttl_s", "epoch", "hops")

    def __init__(self, *, ttl_s: float = 60.0, size: int = 10_000) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._entries: OrderedDict[Address, _Entry] = OrderedDict()
        self._owned: OrderedDict[tuple[AccountId, Address], bool] = OrderedDict()
        self._tight: OrderedDict[AccountId, int] = OrderedDict()
        self.epoch = 0  # grows with every `clear`
        self.hops: tuple[Hops, bytes] | None = None  # and the key of `srs`

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
        self.hops = None
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
