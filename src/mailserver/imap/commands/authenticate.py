"""AUTHENTICATE: a SASL exchange, with the first response in the command where the client likes.

Spec: RFC 3501 §6.2.2; RFC 4959 §3 (SASL-IR); RFC 4422 §3.  Status: complete.
"""

import re
from binascii import Error, a2b_base64, b2a_base64
from dataclasses import dataclass, field

from mailserver.base.errors import PeerError
from mailserver.imap.commands.login import log_in, require_privacy
from mailserver.imap.conversation import Accept, Authenticate, Continue, Conversation, LookUp
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce, conversation
from mailserver.imap.session import Session
from mailserver.sasl.mechanism import Challenge, Credentials, Proof, Secrets, Wanted
from mailserver.sasl.registry import MECHANISMS, begin

_BASE64 = re.compile(rb"=|[A-Za-z0-9+/]+={0,2}")

announce("SASL-IR", State.NOT_AUTHENTICATED)


@dataclass(frozen=True, slots=True)
class AuthenticateArgs:
    """initial: the decoded initial response, b"" for "=", None where there is none (RFC 4959 §3)."""

    mechanism: str
    initial: bytes | None = field(repr=False)


def parse(p: Parser) -> AuthenticateArgs:
    """SP auth-type [SP initial-resp] (RFC 4959 §4)."""
    mechanism = p.sp().word()
    if not p.accept(b" "):
        return AuthenticateArgs(mechanism, None)
    initial = p.take(_BASE64, "base64")
    return AuthenticateArgs(mechanism, b"" if initial == b"=" else _decode(initial))


@conversation("AUTHENTICATE", state=State.NOT_AUTHENTICATED, parse=parse)
def authenticate(session: Session, args: AuthenticateArgs) -> Conversation:
    """One exchange, to its end or to the client's "*".  Raises AuthFailed, PRIVACYREQUIRED, AUTHORIZATIONFAILED."""
    if args.mechanism.upper() in MECHANISMS:
        require_privacy(session)
    mechanism = begin(args.mechanism, session.channel)
    if mechanism is None:
        raise Code("CANNOT", "No such mechanism")
    said = mechanism.step(args.initial)
    while isinstance(said, Challenge | Wanted):
        if isinstance(said, Wanted):
            secrets: Secrets = yield LookUp(said)
            said = said.answer(secrets)
            continue
        line: bytes = yield Continue(b2a_base64(said.data, newline=False))
        if line == b"*":
            raise PeerError("cancelled")
        said = mechanism.step(_decode(line))
    _check_authzid(said)
    if isinstance(said, Proof):
        return (yield from log_in(session, Accept(said)))
    return (yield from log_in(session, Authenticate(said.login, said.password)))


def _check_authzid(said: Credentials | Proof) -> None:
    """Nobody may act for another yet (RFC 4616 §2): raises AUTHORIZATIONFAILED."""
    if said.authzid and said.authzid.casefold() != said.login.casefold():
        raise Code("AUTHORIZATIONFAILED", "You cannot act for somebody else")


def _decode(line: bytes) -> bytes:
    try:
        return a2b_base64(line, strict_mode=True)
    except Error:
        raise PeerError("broken base64") from None
