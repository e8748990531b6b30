"""Making and changing domains: the checks that the command line and every later interface share.

Spec: RFC 5321 §4.1.2; RFC 5233 §1; RFC 6376 §5.4, §8.15.  Status: complete.
"""

import re
from collections.abc import Sequence

from mailserver.base.errors import Cannot, NotFound
from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.directory.aliases import missing, outside
from mailserver.store.dkim_keys import ACTIVE, NewDkimKey
from mailserver.store.domains import DomainFields
from mailserver.store.tx import Read, Write
from mailserver.store.values import Domain

SEPARATORS = "+-_=#"  #: what may stand between a local part and its detail
DKIM = ("on", "off", "rsa", "ed25519")  #: which of a domain's keys sign

_FIELD_NAME = re.compile(r"[!-9;-~]{1,70}")
_ADDED_ON_THE_WAY = frozenset(
    {
        "return-path",
        "received",
        "dkim-signature",
        "authentication-results",
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "delivered-to",
        "bcc",
    }
)


def create(tx: Write, name: str, fields: DomainFields, keys: Sequence[NewDkimKey] = ()) -> Domain:
    """The new domain with its *keys*; *name* comes from `addresses.domain_name`.

    Raises Cannot, NotFound, AlreadyExists.
    """
    made = tx.domains.add(name)
    check(tx, made, fields)
    for key in keys:
        tx.dkim_keys.add(made.id, key, ACTIVE)
    return tx.domains.set(made.id, **fields) if fields else made


def change(tx: Write, name: str, fields: DomainFields) -> Domain:
    """The domain with *fields* changed.  Raises Cannot, NotFound."""
    domain = tx.domains.by_name(name)
    check(tx, domain, fields)
    return tx.domains.set(domain.id, **fields)


def check(tx: Read, domain: Domain, fields: DomainFields) -> None:
    """Raises Cannot or NotFound, with the reason, for what *domain* cannot have."""
    _check_kind(tx, domain, domain._replace(**fields))
    separators = fields.get("separators", "")
    if not set(separators) <= set(SEPARATORS) or len(set(separators)) != len(separators):
        raise Cannot(f"separators: some of {' '.join(SEPARATORS)}, each once")
    for field in ("quota", "max_accounts", "blob_threshold", "message_size"):
        value = fields.get(field)
        if isinstance(value, int) and value < 0:
            raise Cannot(f"{field} must not be negative")
    if (most := fields.get("max_mailboxes")) is not None:
        accounts.check({"max_mailboxes": most})
    if (listed := fields.get("dkim_oversign")) is not None:
        check_oversign(listed)
    catch_all = fields.get("catch_all")
    if catch_all is None:
        return
    target = parse(catch_all)
    if outside(tx, [target]):
        raise Cannot(f"catch-all {target}: mail for unknown users stays on this server")
    if missing(tx, [target]):
        raise NotFound(f"catch-all {target}: there is no such user or alias")


def check_oversign(listed: str) -> list[str]:
    """The names of header fields in "from,to,subject".  Raises Cannot.

    From is always among them, and none that servers add on the way (RFC 6376 §5.4).
    """
    names = [name.strip().lower() for name in listed.split(",")]
    for name in names:
        if not _FIELD_NAME.fullmatch(name):
            raise Cannot(f"dkim-oversign: {name!r} is no name of a header field")
        if name in _ADDED_ON_THE_WAY:
            raise Cannot(f"dkim-oversign: servers add {name} on the way, so it cannot be signed")
    if "from" not in names:
        raise Cannot("dkim-oversign: from must be among them")
    return names


def _check_kind(tx: Read, was: Domain, now: Domain) -> None:
    """A domain has addresses of its own, or stands for another, or is somebody else's that we are the backup of."""
    if now.alias_of is None and not now.is_backup:
        return
    if now.alias_of is not None and now.is_backup:
        raise Cannot(f"{now.name} cannot both stand for {now.alias_of} and be a backup domain")
    if now.alias_of is not None:
        _check_alias_of(tx, now)
    elif now.has_subdomains:
        raise Cannot(f"{now.name}: add each domain that this server shall be the backup of")
    if others := tx.domains.aliases_of(was.id):
        raise Cannot(f"{others[0]} stands for {now.name}, which therefore needs its own addresses")
    if now.catch_all is not None:
        raise Cannot(f"{now.name} has a catch-all: set it to none first")
    if tx.accounts.list(was.id, limit=1):
        raise Cannot(f"{now.name} has users of its own")
    if tx.aliases.list(was.id):
        raise Cannot(f"{now.name} has aliases of its own")


def _check_alias_of(tx: Read, domain: Domain) -> None:
    try:
        meant = tx.domains.by_name(domain.alias_of or "")
    except NotFound:
        raise NotFound(f"no domain {domain.alias_of} here") from None
    if meant.id == domain.id:
        raise Cannot(f"{domain.name} cannot stand for itself")
    if meant.alias_of is not None:
        raise Cannot(f"{meant.name} itself stands for {meant.alias_of}: name that")
    if meant.is_backup:
        raise Cannot(f"{meant.name} is a backup domain: add {domain.name} as one, too")
