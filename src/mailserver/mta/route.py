"""From a recipient's address to the mailboxes and the other servers that get the mail, or the refusal with its reason.

Spec: RFC 5321 §3.9, §4.5.1, §7.1; RFC 3463 §3.  Status: complete.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from mailserver.base.errors import Cannot, NotFound
from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory.addresses import fold
from mailserver.directory.resolve import (
    POSTMASTER,
    Away,
    Nobody,
    Why,
    domain_for,
    home_domain,
    resolve,
)
from mailserver.directory.senders import may_send_as
from mailserver.mta import srs
from mailserver.mta.nexthop import REJECT, Hops, choose
from mailserver.mta.treatment import DEFAULT, Treatment
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.smtp.reply import Reply
from mailserver.store.scripts import ScriptRef
from mailserver.store.tx import Read
from mailserver.store.values import Account


class Target(NamedTuple):
    """One account that gets the mail, as of the look-up."""

    account: AccountId
    mailbox: MailboxId  # its INBOX
    quota: int | None  # octets; None: no bound
    used: int
    blob_threshold: int  # octets above which its domain wants files
    message_size: int | None = (
        None  # octets of the largest message it takes; None: what the server takes
    )
    messages_left: int | None = None  # how many more it may have; None: no bound
    is_shared: bool = False  # a shared mailbox: not everybody may send to it (`posting`)
    filters: tuple[ScriptRef, ...] = ()  # the Sieve scripts that its mail goes through, in order
    separators: str = "+"  # its domain's, before the detail of an address
    owner: Account | None = None


class Remote(NamedTuple):
    """An address on another server that gets a copy.

    forwarder:  the address of ours that passes the mail on; None when the client itself named *address*.
    account:    whose forward it is, if it is anybody's.
    notices_to: who hears of failures; None: the sender, "": nobody.
    is_ours:    the address is one of ours after all, to which a script sends it on: routed when the queue comes to it.
    """

    address: Address
    forwarder: Address | None = None
    account: AccountId | None = None
    notices_to: str | None = None
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for an address goes: into mailboxes here, to other servers, or both.

    passing:   accounts that have it forwarded and keep no copy; notices are filed there all the same.
    treatment: what the domain of the address wants for mail that does not prove where it comes from.
    """

    targets: tuple[Target, ...]
    remotes: tuple[Remote, ...] = ()
    passing: tuple[Target, ...] = ()
    treatment: Treatment = DEFAULT


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nobody gets it.  detail: what there is to say beyond the reason itself.

    treatment: of a domain that we are the backup of, where somebody else may know better.
    """

    why: Why
    detail: str = ""
    treatment: Treatment = DEFAULT


def route(tx: Read, address: Address, hostname: str, now: int) -> Route | NoRoute:
    """Who gets mail for *address* at *now*, UTC epoch seconds.

    An address elsewhere that is suppressed, or that a route rejects, gets nothing; whose forward it is keeps his copy
    here then.
    """
    found = resolve(tx, address, hostname)
    if isinstance(found, Nobody):
        if found.why is not Why.BACKUP:
            return NoRoute(found.why)
        return NoRoute(found.why, treatment=_treatment(tx, address, hostname))
    closed = _closed(tx, found.away, now)
    stranded = {away.account for away in closed}
    kept = [account for account in found.passing if account.id in stranded]
    targets = tuple(_targets(tx, [*found.accounts, *kept]))
    remotes = tuple(_remote(away) for away in found.away if away not in closed)
    if not targets and not remotes:
        return NoRoute(
            Why.SUPPRESSED, "nothing is sent to the address that its mail is passed on to"
        )
    passing = [account for account in found.passing if account.id not in stranded]
    treatment = _treatment(tx, address, hostname)
    return Route(targets, remotes, tuple(_targets(tx, passing)), treatment)


def _treatment(tx: Read, address: Address, hostname: str) -> Treatment:
    domain = domain_for(tx, address.domain or home_domain(tx, hostname))
    return DEFAULT if domain is None else Treatment.of(domain.dmarc, domain.spf)


def _closed(tx: Read, addresses: Iterable[Away], now: int) -> set[Away]:
    """Those to whom nothing is passed on."""
    found = set()
    table: Hops | None = None
    for away in addresses:
        table = table or hops(tx, "")
        is_rejected = choose(table, str(away.by), away.address.domain) == REJECT
        if is_rejected or tx.suppressions.find(str(away.address), now) is not None:
            found.add(away)
    return found


def elsewhere(
    tx: Read, address: Address, sender: Address | None, table: Hops, now: int
) -> Route | NoRoute:
    """The route of an address on another server that a user sends mail to, at *now*, UTC epoch seconds."""
    if choose(table, str(sender or ""), address.domain) == REJECT:
        return NoRoute(Why.REJECTED)
    if (closed := tx.suppressions.find(str(address), now)) is not None:
        since = datetime.fromtimestamp(closed.created_at, UTC).date()
        said = f" ({' '.join(closed.reply.split())[:100]})" if closed.reply else ""
        return NoRoute(
            Why.SUPPRESSED,
            f"its server said on {since} that it does not exist{said}; your administrator can allow it again"
            " (mailserver suppression remove)",
        )
    return to_others(address)


def to_others(address: Address) -> Route:
    """The route of an address on another server, nothing being wrong with it."""
    return Route((), (Remote(address),))


def for_primary(address: Address, hostname: str) -> Route:
    """The route of an address in a domain that we are the backup of, once it is known to exist.

    Failures are told to postmaster here: the primary servers have said that they take it, and nobody knows the sender.
    """
    return Route((), (Remote(address, notices_to=str(Address(POSTMASTER, hostname))),))


def returned(
    tx: Read, address: Address, sender: Address | None, hostname: str, now: int
) -> Route | NoRoute | None:
    """The route of a bounce to a sender that was rewritten here (`srs`); None: *address* is no such sender.

    It goes to the one whom the sender really was.  Anything but a bounce is refused: nobody writes to such an address.
    """
    domain = domain_for(tx, address.domain)
    if domain is None or not domain.is_active or domain.is_backup:
        return None
    try:
        meant = srs.restore(address.localpart, tx.routes.secret("srs"), now)
    except Cannot as error:
        return NoRoute(Why.UNKNOWN, f"no sender of ours: {error}")
    if isinstance(meant, str):
        kept = tx.senders.find(meant)
        if kept is None:
            return NoRoute(Why.UNKNOWN, "no sender of ours: it is forgotten")
        meant = parse_mailbox(kept)
    if sender is not None:
        return NoRoute(Why.BOUNCES_ONLY)
    if srs.is_srs(meant.localpart) and (again := returned(tx, meant, sender, hostname, now)):
        return again
    found = route(tx, meant, hostname, now)
    if isinstance(found, NoRoute) and found.why in (Why.ELSEWHERE, Why.BACKUP):
        return Route((), (Remote(meant, notices_to=""),))
    return found


def hops(tx: Read, smarthost: str) -> Hops:
    """All that decides about next hops; smarthost: the configuration's, "smtp:HOST:PORT" or ""."""
    routes = {route.domain: route.destination for route in tx.routes.list()}
    return Hops(routes, tx.routes.smarthosts(), smarthost, frozenset(tx.domains.backups()))


def _targets(tx: Read, accounts: Iterable[Account]) -> Iterator[Target]:
    for account in accounts:
        try:
            inbox = tx.mailboxes.get(account.id, "INBOX").id
        except NotFound:  # pragma: no cover  # an account without INBOX is damage
            continue
        domain = tx.domains.get(account.domain_id)
        most = account.message_size if account.message_size is not None else domain.message_size
        left = None if account.max_messages is None else account.max_messages - account.messages
        yield Target(
            account.id,
            inbox,
            account.quota,
            account.used,
            domain.blob_threshold,
            most,
            left,
            account.is_shared,
            tx.scripts.filters(account.id, domain.id),
            domain.separators,
            account,
        )


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
    Why.BACKUP: (450, "4.4.3", "its primary servers cannot be asked now, try again later"),
    Why.INACTIVE: (550, "5.1.2", "the domain is switched off"),
    Why.UNKNOWN: (550, "5.1.1", "no such user here"),
    Why.DISABLED: (550, "5.2.1", "the account is switched off"),
    Why.ROUTED: (
        550,
        "5.7.1",
        "relaying refused: no mail is passed on for addresses inside of addresses",
    ),
    Why.LEADS_NOWHERE: (550, "5.2.4", "the alias leads to nobody"),
    Why.SUPPRESSED: (550, "5.1.1", "the address does not exist"),
    Why.BOUNCES_ONLY: (550, "5.7.1", "nothing but bounces of what was passed on goes there"),
    Why.NO_POSTING: (550, "5.7.1", "you may not send mail to this mailbox"),
    Why.REJECTED: (550, "5.4.4", "no mail is sent to this domain from here"),
}


def refusal(address: Address, found: NoRoute) -> Reply:
    """What the client hears of it."""
    code, status, text = _REFUSALS[found.why]
    return Reply(code, status, f"{shown(address)}: {_plain(found.detail) or text}")


def accepted(address: Address) -> Reply:
    """A recipient that is fine."""
    return Reply(250, "2.1.5", f"{shown(address)} OK")


def too_large(address: Address, found: Route) -> Reply:
    """A recipient who takes no messages of this size, whatever the server takes (RFC 1870 §6.2)."""
    most = min((t.message_size for t in found.targets if t.message_size is not None), default=0)
    text = f"{shown(address)}: message is larger than the {most} octets that are taken here"
    return Reply(552, "5.3.4", text)


def takes(found: Route, size: int) -> bool:
    """Whether all accounts of *found* take messages of *size* octets."""
    return all(t.message_size is None or size <= t.message_size for t in found.targets)


def full(address: Address) -> Reply:
    """A recipient whose quota is used up (RFC 3463 §3.3)."""
    return Reply(452, "4.2.2", f"{shown(address)}: mailbox full, try again later")


def _plain(text: str) -> str:
    """*text* as a reply may carry it: printable ASCII, not endless."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:250]


def shown(address: Address | None) -> str:
    """An address for a reply: ASCII, one line, not endless (RFC 5321 §4.5.3.1.5; RFC 6531 §3.7.4.2)."""
    text = str(address or "")
    if not text.isascii():
        text = text.encode("ascii", "backslashreplace").decode()
    return f"<{text}>" if len(text) <= 250 else f"<{text[:250]}...>"


def key(address: Address, local: str) -> Address:
    """The one spelling of *address* under which routes are kept; "" for the home domain.

    local: our address literal on this connection; mail for it is for the home domain (RFC 5321 §4.1.3).
    """
    domain = "" if address.domain == local else address.domain
    return Address(fold(address.localpart), domain)


def own(tx: Read, account: AccountId, addresses: list[Address], hostname: str) -> list[bool]:
    """Of each address whether *account* may send as it."""
    return [may_send_as(tx, account, address, hostname) for address in addresses]
