"""SETQUOTA: an administrator changes what an account may have.

Spec: RFC 9208 §4.1.3.  Status: complete.

Rights to a mailbox do not help: whoever owns one would then set his own bounds (docs/decisions/0161).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from mailserver.base.errors import NotAllowed
from mailserver.directory import accounts
from mailserver.imap import quotas
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.accounts import AccountFields
from mailserver.store.tx import Write

_LARGEST: Final = 1 << 50  # of STORAGE, so that octets stay below 2^63


@dataclass(frozen=True, slots=True)
class SetQuotaArgs:
    """limits: resource -> limit, the last word on each."""

    root: bytes
    limits: dict[str, int]


def parse(p: Parser) -> SetQuotaArgs:
    """SP quota-root-name SP "(" [resource SP limit]... ")" (RFC 9208 §7)."""
    root = p.sp().astring()
    return SetQuotaArgs(root, dict(p.sp().group(_limit, empty=True)))


def _limit(p: Parser) -> tuple[str, int]:
    name = p.word()
    if name not in {"STORAGE", "MESSAGE", "MAILBOX"}:
        raise p.error(f"no resource {name} here")
    limit = p.sp().number64()
    if name == "STORAGE" and limit > _LARGEST:
        raise p.error("limit too large")
    return name, limit


@command("SETQUOTA", state=State.AUTHENTICATED, parse=parse, writes=True)
def setquota(session: Session, args: SetQuotaArgs, tx: Write) -> Generator[Response, None, None]:
    """What is not named is not bounded any more, except by the domain and the server.

    Raises NotAllowed, NotFound, Cannot.
    """
    if not quotas.is_admin(session, tx):
        raise NotAllowed("Only administrators change quotas.")
    account = quotas.of_root(session, tx, args.root)
    storage = args.limits.get("STORAGE")
    fields: AccountFields = {
        "quota": None if storage is None else storage * quotas.UNIT,
        "max_messages": args.limits.get("MESSAGE"),
        "max_mailboxes": args.limits.get("MAILBOX"),
    }
    accounts.check(fields)
    changed = tx.accounts.set(account.id, **fields)
    told = " ".join(f"{name} {limit}" for name, limit in args.limits.items())
    session.log.info("quota set over imap", of=changed.address, limits=told)
    yield quotas.quota(tx, changed, session.limits)
