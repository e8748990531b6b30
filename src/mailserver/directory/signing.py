"""Which domain signs for an author, and with which keys.

Spec: RFC 6376 §3.10, §5.1; RFC 9989 §4.4 (alignment); RFC 8616 §5.  Status: complete.

The signature is that of the author's own domain, or of one above it that is ours and takes its mail, so that it is
aligned.  Nothing is signed for a domain that is not ours.
"""

from typing import NamedTuple

from mailserver.base.errors import Cannot, NotFound
from mailserver.directory.addresses import domain_name
from mailserver.directory.dkim_keys import opened
from mailserver.directory.dkim_life import signs
from mailserver.directory.seal import Seal
from mailserver.mailauth.dkim.keys import SigningKey
from mailserver.mailauth.dkim.sign import Fields
from mailserver.store.dkim_keys import ACTIVE, DkimKey
from mailserver.store.tx import Read
from mailserver.store.values import Domain


class Signatory(NamedTuple):
    """A domain of ours that signs, and the keys it signs with now."""

    domain: Domain
    keys: tuple[DkimKey, ...]


def signatory(tx: Read, author_domain: str, hostname: str) -> Signatory | str:
    """Who signs for authors in *author_domain*, or why nobody does.

    For our own host, whose notices are from postmaster@hostname, it is also a domain above it that is ours.
    """
    try:
        name = domain_name(author_domain)
    except Cannot:
        return "the author's address has no domain"
    domain = _ours(tx, name, is_host=name == hostname)
    if domain is None:
        return f"{name} is not ours"
    if not signs(domain):
        return f"{domain.name} does not sign"
    kinds = {"rsa", "ed25519"} if domain.dkim == "on" else {domain.dkim}
    keys = [key for key in tx.dkim_keys.of(domain.id) if key.state == ACTIVE]
    return Signatory(domain, tuple(key for key in keys if key.algorithm in kinds))


def signing_keys(who: Signatory, seal: Seal) -> tuple[SigningKey, ...]:
    """The keys, ready to sign, RSA first.  Raises Corrupt."""
    ordered = sorted(who.keys, key=lambda key: key.algorithm != "rsa")
    return tuple(SigningKey(key.domain, key.selector, opened(key, seal)) for key in ordered)


def oversigned(domain: Domain) -> Fields:
    """Which fields are signed, and how."""
    if domain.dkim_oversign is None:
        return Fields()
    return Fields(always=tuple(domain.dkim_oversign.split(",")))


def _ours(tx: Read, name: str, *, is_host: bool) -> Domain | None:
    try:
        return tx.domains.by_name(name)
    except NotFound:
        above = tx.domains.above(name)
    while above is None and is_host and "." in name:
        name = name.partition(".")[2]
        try:
            above = tx.domains.by_name(name)
        except NotFound:
            continue
    return above
