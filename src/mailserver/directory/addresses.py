"""Addresses as the directory knows them: one spelling for each, whatever the peer or the operator typed.

Spec: RFC 5321 §2.4, §4.5.1; RFC 6531 §3.3; RFC 5233 §1 (subaddress).  Status: complete.
Deviates: local parts are compared without case (RFC 5321 §2.4 lets the host decide; nobody wants two accounts that
differ in case only) and in Unicode's NFC.
"""

import unicodedata

from mailserver.base.errors import Cannot, PeerError
from mailserver.smtp.address import Address, parse_domain, parse_mailbox

MAX_LOCALPART = (
    64  #: octets (RFC 5321 §4.5.3.1.1); kept for accounts and aliases, not asked of senders
)


def fold(localpart: str) -> str:
    """The local part under which the directory files it: case-folded, NFC."""
    if localpart.isascii():
        return localpart.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", localpart).casefold())


def normalise(address: Address) -> Address:
    """The one spelling of *address*: equal for all spellings that reach the same mailbox of the same domain."""
    return Address(fold(address.localpart), address.domain)


def parse(text: str) -> Address:
    """The address that an operator or a user typed, in its one spelling.  Raises Cannot with the reason."""
    try:
        return normalise(parse_mailbox(text.strip()))
    except PeerError as e:
        raise Cannot(f"{shown(text)} is no mail address: {e}") from None


def domain_name(text: str) -> str:
    """The domain that an operator typed, as A-labels.  Raises Cannot."""
    try:
        name = parse_domain(text.strip().removesuffix("."))
    except PeerError:
        name = ""
    if not name or name.startswith("["):
        raise Cannot(
            f"{shown(text)} is no domain name: letters, digits, hyphens and dots, as in example.org"
        )
    return name


def base_and_detail(localpart: str, separators: str) -> tuple[str, str] | None:
    """("alice", "news") for "alice+news"; None if there is no separator inside (RFC 5233 §1).

    The first of the *separators* counts; a local part that starts with one has no base.
    """
    cuts = [at for s in separators if (at := localpart.find(s)) >= 0]
    if not cuts or min(cuts) == 0:
        return None
    at = min(cuts)
    return localpart[:at], localpart[at + 1 :]


def shown(text: str) -> str:
    """*text* for an error text: quoted, printable, not endless."""
    plain = "".join(c if c.isprintable() else "?" for c in text.strip()[:100])
    return f'"{plain}"'
