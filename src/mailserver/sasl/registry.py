"""Which mechanisms there are, in the order in which they are announced, and when each may be used.

Spec: RFC 4422 §3.2; RFC 4954 §4.  Status: PLAIN and LOGIN.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mailserver.sasl.login import Login
from mailserver.sasl.mechanism import Mechanism
from mailserver.sasl.plain import Plain


@dataclass(frozen=True, slots=True)
class Row:
    """One mechanism.  reveals_password: its wire form needs TLS or a trusted network (RFC 4616 §5)."""

    factory: Callable[[], Mechanism]
    reveals_password: bool


MECHANISMS: dict[str, Row] = {
    "PLAIN": Row(Plain, reveals_password=True),
    "LOGIN": Row(Login, reveals_password=True),
}


def offered(tls: bool, cleartext: bool) -> tuple[str, ...]:
    """The names to announce.  cleartext: the peer's network may send passwords without TLS."""
    return tuple(
        name for name, row in MECHANISMS.items() if tls or cleartext or not row.reveals_password
    )


def begin(name: str, tls: bool, cleartext: bool) -> Mechanism | None:
    """A fresh exchange of the mechanism *name* (any case), None if it is not offered here."""
    upper = name.upper()
    return MECHANISMS[upper].factory() if upper in offered(tls, cleartext) else None
