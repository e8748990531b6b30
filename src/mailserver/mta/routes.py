"""Routes that were looked up a moment ago, whose address is whose, and which mailboxes are nearly full.

Bounded, and dropped when the directory changes.
"""

from collections import OrderedDict
from typing import NamedTuple

from mailserver.base.ids import AccountId
from mailserver.mta.findings import Trust
from mailserver.mta.nexthop import Hops
from mailserver.mta.route import NoRoute, Route, Target
from mailserver.smtp.address import Address

FEW = 100  #: an account that may have so few messages more is always looked up anew


class _Entry(NamedTuple):
    route: Route | NoRoute
    expires_at: float


class Routes:
    """A bounded memory of routes and of who may send as whom; dropped when the directory changes.

    Times are seconds of any one clock.  Quotas move without the directory: entries are good for *ttl_s* only, a
    mailbox that looks nearly full is always looked up anew, and one that a message did not fit into is remembered with
    the room that was missing, so that the sender's next attempt leaves it out and the other recipients get theirs.
    """

    __slots__ = (
        "_away",
        "_entries",
        "_owned",
        "_size",
        "_tight",
        "_ttl_s",
        "epoch",
        "hops",
        "trust",
    )

    def __init__(self, *, ttl_s: float = 60.0, size: int = 10_000) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._entries: OrderedDict[Address, _Entry] = OrderedDict()
        self._away: OrderedDict[tuple[Address, str], float] = OrderedDict()
        self._owned: OrderedDict[tuple[AccountId, Address], bool] = OrderedDict()
        self._tight: OrderedDict[AccountId, int] = OrderedDict()
        self.epoch = 0  # grows with every `clear`
        self.hops: tuple[Hops, bytes] | None = None  # and the key of `srs`
        self.trust: Trust | None = None

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

    def may_leave(self, address: Address, sender: str, now: float) -> bool:
        """Whether mail from the domain *sender* to the (normalised) *address* elsewhere was fine a moment ago."""
        return self._away.get((address, sender), 0.0) > now

    def put_leaving(self, address: Address, sender: str, now: float, epoch: int) -> None:
        """It is fine; not remembered if the directory has changed since *epoch* was read."""
        if epoch != self.epoch:
            return
        self._away[address, sender] = now + self._ttl_s
        self._away.move_to_end((address, sender))
        if len(self._away) > self._size:
            self._away.popitem(last=False)

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
            if target.messages_left is not None and target.messages_left <= 0:
                return False
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
        self._away.clear()
        self._owned.clear()
        self.hops = self.trust = None
        self.epoch += 1

    def _is_near(self, target: Target) -> bool:
        if target.messages_left is not None and target.messages_left < FEW:
            return True
        if target.quota is None:
            return False
        return target.account in self._tight or target.used > target.quota * 0.9
