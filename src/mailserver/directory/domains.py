"""Making and changing domains: the checks that the command line and every later interface share.

Spec: RFC 5321 §4.1.2; RFC 5233 §1.  Status: complete.
"""

from mailserver.base.errors import Cannot, NotFound
from mailserver.directory.addresses import parse
from mailserver.directory.aliases import missing
from mailserver.store.domains import DomainFields
from mailserver.store.tx import Read, Write
from mailserver.store.values import Domain

SEPARATORS = "+-_=#"  #: what may stand between a local part and its detail


def create(tx: Write, name: str, fields: DomainFields) -> Domain:
    """The new domain; *name* comes from `addresses.domain_name`.  Raises Cannot, NotFound, AlreadyExists."""
    made = tx.domains.add(name)
    check(tx, fields)
    return tx.domains.set(made.id, **fields) if fields else made


def change(tx: Write, name: str, fields: DomainFields) -> Domain:
    """The domain with *fields* changed.  Raises Cannot, NotFound."""
    domain = tx.domains.by_name(name)
    check(tx, fields)
    return tx.domains.set(domain.id, **fields)


def check(tx: Read, fields: DomainFields) -> None:
    """Raises Cannot or NotFound, with the reason, for what no domain can have."""
    separators = fields.get("separators", "")
    if not set(separators) <= set(SEPARATORS) or len(set(separators)) != len(separators):
        raise Cannot(f"separators: some of {' '.join(SEPARATORS)}, each once")
    for field in ("quota", "max_accounts", "blob_threshold"):
        value = fields.get(field)
        if isinstance(value, int) and value < 0:
            raise Cannot(f"{field} must not be negative")
    catch_all = fields.get("catch_all")
    if catch_all is None:
        return
    target = parse(catch_all)
    try:
        tx.domains.by_name(target.domain)
    except NotFound:
        raise Cannot(f"catch-all {target}: mail for unknown users stays on this server") from None
    if missing(tx, [target]):
        raise NotFound(f"catch-all {target}: there is no such user or alias")
