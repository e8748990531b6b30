"""CAPABILITY: what the server can do; also the greeting.

Spec: RFC 5804 §1.7, §2.4; RFC 6134 §2.8.  Status: complete.
"""

from typing import Any

from mailserver.managesieve import response
from mailserver.managesieve.registry import Shape, State, command
from mailserver.managesieve.session import Session
from mailserver.sasl.registry import offered
from mailserver.sieve import registry as language


@command("CAPABILITY", state=State.ANY, shape=Shape.SAYS)
def capability(session: Session, args: tuple[()], tx: Any) -> bytes:
    """The capabilities, then OK."""
    return lines(session) + response.ok()


def lines(session: Session) -> bytes:
    """A line for each of them (RFC 5804 §1.7)."""
    language.load()
    mechanisms = () if session.account else offered(session.channel)
    found = [
        ("IMPLEMENTATION", f"mailserver {session.version}"),
        ("VERSION", "1.0"),
        ("SASL", " ".join(mechanisms)),
        ("SIEVE", " ".join(sorted(language.CAPABILITIES))),
        ("NOTIFY", "mailto"),
        ("EXTLISTS", "tag urn"),
        ("MAXREDIRECTS", str(session.limits.redirects)),
        ("LANGUAGE", "en"),
        ("UNAUTHENTICATE", None),
    ]
    if not session.is_tls:
        found.append(("STARTTLS", None))
    if session.account is not None:
        found.append(("OWNER", session.account.address))
    return b"".join(_line(name, value) for name, value in found)


def _line(name: str, value: str | None) -> bytes:
    rest = b"" if value is None else b" " + response.string(value)
    return response.string(name) + rest + b"\r\n"
