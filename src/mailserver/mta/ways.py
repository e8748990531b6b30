"""Where mail would go now: for operators who ask, and for what waits in the queue when routes change.

Status: complete.
"""

from collections.abc import Callable
from typing import NamedTuple

from mailserver.directory.resolve import POSTMASTER, Why, domain_for
from mailserver.mta.leave import LOCAL
from mailserver.mta.nexthop import Hops, choose
from mailserver.mta.route import NoRoute, Remote, elsewhere, hops, refusal, route
from mailserver.smtp.address import Address
from mailserver.store.tx import Read


class Way(NamedTuple):
    """One copy: who gets it, how it came to that, and the mailbox, the destination or the refusal."""

    address: str
    how: str
    to: str


def ways(
    tx: Read, to: Address, sender: Address | None, hostname: str, smarthost: str, now: int
) -> list[Way]:
    """What would become of a user's mail to *to*; smarthost: the configuration's, "smtp:HOST:PORT" or ""."""
    table = hops(tx, smarthost)
    found = route(tx, to, hostname, now)
    how = "here"
    if isinstance(found, NoRoute) and found.why in (Why.ELSEWHERE, Why.BACKUP):
        how = "backup domain" if found.why is Why.BACKUP else "elsewhere"
        found = elsewhere(tx, to, sender, table, now)
    if isinstance(found, NoRoute):
        return [Way(str(to), "refused", str(refusal(to, found)))]
    local = [Way(tx.accounts.get(target.account).address, how, "INBOX") for target in found.targets]
    return local + [_away(remote, sender, how, table) for remote in found.remotes]


def _away(remote: Remote, sender: Address | None, how: str, table: Hops) -> Way:
    by = remote.forwarder or sender
    destination = choose(table, str(by or ""), remote.address.domain)
    if remote.forwarder is not None:
        how = f"passed on by {remote.forwarder}"
    return Way(str(remote.address), how, destination)


def again(tx: Read, smarthost: str, hostname: str) -> Callable[[str, str, str], str]:
    """The destination of what waits, by sender, domain and address, as routes are now (`tx.queue.reroute`).

    Mail for a domain that is ours is delivered here; what goes nowhere now (REJECT) is returned by the queue's runner.
    A null sender counts as postmaster of *hostname*, who writes notices.
    """
    table, postmaster = hops(tx, smarthost), f"{POSTMASTER}@{hostname}"
    ours: dict[str, bool] = {"": True}  # the home domain

    def name(sender: str, domain: str, address: str) -> str:
        is_ours = ours.get(domain)
        if is_ours is None:
            found = domain_for(tx, domain)
            is_ours = ours[domain] = found is not None and not found.is_backup
        if is_ours:
            return LOCAL
        return choose(table, sender or postmaster, domain)

    return name
