"""Which mechanisms there are, in the order in which they are announced, and when each may be used.

Spec: RFC 4422 §3.2; RFC 4954 §4; RFC 5802 §6.  Status: EXTERNAL, SCRAM-SHA-256 with and without channel binding, PLAIN,
LOGIN, CRAM-MD5.  OAUTHBEARER (RFC 7628) will be a row like the others, with a claim that is a token.

Nobody logs in where others listen: without TLS only networks that need none are offered anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mailserver.sasl.cram_md5 import CramMd5
from mailserver.sasl.external import External
from mailserver.sasl.login import Login
from mailserver.sasl.mechanism import Mechanism
from mailserver.sasl.plain import Plain
from mailserver.sasl.scram import Scram


@dataclass(frozen=True, slots=True)
class Channel:
    """A connection, as mechanisms see it.

    is_private: it has TLS, or comes from a network that needs none.
    bindings:   channel binding data by type (RFC 5929); empty where there is none.
    identities: addresses in the certificate that the client has shown; none without one.
    has_scram, has_cram_md5: whether accounts may use them at all.
    nonce:      random printable ASCII without commas, "@", "<" and ">", another one each time.
    """

    is_private: bool
    hostname: str = "localhost"
    bindings: Mapping[str, bytes] = field(default_factory=dict)
    identities: tuple[str, ...] = ()
    has_scram: bool = False
    has_cram_md5: bool = False
    nonce: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Row:
    """One mechanism: how an exchange begins, and on which channels besides that they must be private."""

    begin: Callable[[Channel], Mechanism]
    fits: Callable[[Channel], bool]


MECHANISMS: dict[str, Row] = {
    "EXTERNAL": Row(
        lambda channel: External(channel.identities), lambda channel: bool(channel.identities)
    ),
    "SCRAM-SHA-256-PLUS": Row(
        lambda channel: Scram(channel.bindings, is_plus=True, nonce=channel.nonce()),
        lambda channel: channel.has_scram and bool(channel.bindings),
    ),
    "SCRAM-SHA-256": Row(
        lambda channel: Scram(channel.bindings, is_plus=False, nonce=channel.nonce()),
        lambda channel: channel.has_scram,
    ),
    "PLAIN": Row(lambda channel: Plain(), lambda channel: True),
    "LOGIN": Row(lambda channel: Login(), lambda channel: True),
    "CRAM-MD5": Row(
        lambda channel: CramMd5(channel.hostname, nonce=channel.nonce()),
        lambda channel: channel.has_cram_md5,
    ),
}


def offered(channel: Channel) -> tuple[str, ...]:
    """The names to announce."""
    if not channel.is_private:
        return ()
    return tuple(name for name, row in MECHANISMS.items() if row.fits(channel))


def begin(name: str, channel: Channel) -> Mechanism | None:
    """A fresh exchange of the mechanism *name* (any case), None if it is not offered here."""
    upper = name.upper()
    return MECHANISMS[upper].begin(channel) if upper in offered(channel) else None
