"""Store values as the command line shows them: objects for --json, aligned columns for people."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from mailserver.app.sizes import show_size
from mailserver.directory import identifiers
from mailserver.store.trusted import Trusted
from mailserver.store.values import (
    Account,
    AccountGroup,
    AclEntry,
    Alias,
    AppPassword,
    Domain,
    NextHop,
    StaticRoute,
)


def moment(seconds: int | None) -> str | None:
    """Epoch seconds -> "2026-11-22T10:00:00Z"."""
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def domain_row(domain: Domain) -> dict[str, Any]:
    """What --json says of a domain."""
    return {
        "domain": domain.name,
        "is_active": domain.is_active,
        "catch_all": domain.catch_all,
        "quota": domain.quota,
        "max_accounts": domain.max_accounts,
        "max_messages": domain.max_messages,
        "max_mailboxes": domain.max_mailboxes,
        "blob_threshold": domain.blob_threshold,
        "separators": domain.separators,
        "alias_of": domain.alias_of,
        "subdomains": "inherit" if domain.has_subdomains else None,
        "is_backup": domain.is_backup,
        "smarthost": domain.smarthost,
        "message_size": domain.message_size,
        "cram_md5": domain.cram_md5,
        "dkim": domain.dkim,
        "dkim_oversign": domain.dkim_oversign,
        "dmarc": domain.dmarc,
        "spf": domain.spf or None,
        "mta_sts": domain.mta_sts,
        "created_at": moment(domain.created_at),
    }


def trusted_row(trusted: Trusted) -> dict[str, Any]:
    """What --json says of somebody whom we trust."""
    return {
        "kind": trusted.kind,
        "value": trusted.value,
        "note": trusted.note,
        "created_at": moment(trusted.created_at),
    }


def app_password_row(password: AppPassword) -> dict[str, Any]:
    """What --json says of an app password."""
    return {
        "name": password.name,
        "cram_md5": password.has_cram_md5,
        "created_at": moment(password.created_at),
        "last_used_at": moment(password.last_used_at),
    }


def account_row(account: Account) -> dict[str, Any]:
    """What --json says of a user."""
    return {
        "address": account.address,
        "name": account.name,
        "is_active": account.is_active,
        "quota": account.quota,
        "own_quota": account.own_quota,
        "used": account.used,
        "messages": account.messages,
        "max_messages": account.max_messages,
        "own_max_messages": account.own_max_messages,
        "max_mailboxes": account.max_mailboxes,
        "own_max_mailboxes": account.own_max_mailboxes,
        "message_size": account.message_size,
        "is_admin": account.is_admin,
        "time_zone": account.time_zone,
        "created_at": moment(account.created_at),
        "last_login_at": moment(account.last_login_at),
    }


def alias_row(alias: Alias) -> dict[str, Any]:
    """What --json says of an alias."""
    return {"address": alias.address, "targets": list(alias.targets)}


def group_row(group: AccountGroup) -> dict[str, Any]:
    """What --json says of a group."""
    return {"group": group.address, "members": list(group.members)}


def shared_row(owner: Account) -> dict[str, Any]:
    """What --json says of a shared mailbox."""
    return {
        "address": owner.address,
        "name": owner.name,
        "quota": owner.quota,
        "own_quota": owner.own_quota,
        "used": owner.used,
        "messages": owner.messages,
        "created_at": moment(owner.created_at),
    }


def rights_rows(name: str, entries: Sequence[AclEntry]) -> list[dict[str, Any]]:
    """What --json says of the list of the mailbox *name*."""
    return [
        {"mailbox": name, "identifier": identifiers.write(entry), "rights": entry.rights}
        for entry in entries
    ]


def route_row(route: StaticRoute) -> dict[str, Any]:
    """What --json says of a static route."""
    return {
        "domain": route.domain,
        "destination": route.destination,
        "created_at": moment(route.created_at),
    }


def hop_row(hop: NextHop) -> dict[str, Any]:
    """What --json says of a next hop; its password is never shown."""
    return {"hop": hop.name, "tls": hop.tls, "user": hop.login or None}


def lines(row: dict[str, Any]) -> Iterator[str]:
    """One line a field: `quota          5 GiB`."""
    width = max(len(name) for name in row)
    for name, value in row.items():
        yield f"{name.replace('_', ' '):{width}}  {cell(name, value)}".rstrip()


def table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    """A heading and one line a row, columns aligned; nothing at all without rows."""
    if not rows:
        return
    heading = [name.replace("_", " ").upper() for name in names]
    cells = [heading, *([cell(name, row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    for line in cells:
        yield "  ".join(
            f"{text:{width}}" for text, width in zip(line, widths, strict=True)
        ).rstrip()


def cell(name: str, value: Any) -> str:
    """One value for people."""
    if name in ("quota", "own_quota", "used", "blob_threshold", "message_size"):
        return show_size(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "-" if value is None or value == "" else str(value)
