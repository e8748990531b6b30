"""LOGIN: name and password as they are.

Spec: RFC 3501 §6.2.3, §11.2; RFC 5530 §3.  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from mailserver.base.errors import AuthFailed, LimitReached, PeerError
from mailserver.imap import capabilities, response
from mailserver.imap.conversation import Accept, Authenticate, Conversation, Effect, Send
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session


@dataclass(frozen=True, slots=True)
class LoginArgs:
    """Never log the password."""

    login: str
    password: str = field(repr=False)


def parse(p: Parser) -> LoginArgs:
    """SP userid SP password (RFC 3501 §9), in UTF-8."""
    login, password = p.sp().astring(), p.sp().astring()
    try:
        return LoginArgs(login.decode(), password.decode())
    except UnicodeDecodeError:
        raise PeerError("user name and password must be UTF-8") from None


@conversation("LOGIN", state=State.NOT_AUTHENTICATED, parse=parse)
def login(session: Session, args: LoginArgs) -> Conversation:
    """The capabilities of a logged-in client come with the OK.  Raises AuthFailed, PRIVACYREQUIRED."""
    require_privacy(session)
    return (yield from log_in(session, Authenticate(args.login, args.password)))


def require_privacy(session: Session) -> None:
    """Raises PRIVACYREQUIRED where no password may come over this connection (RFC 5530 §3)."""
    if not capabilities.may_log_in(session):
        raise Code("PRIVACYREQUIRED", "Use STARTTLS first")


def log_in(session: Session, claim: Authenticate | Accept) -> Generator[Effect, Any, Tagged]:
    """Checks the claim or takes the proof; too many false ones end the connection (RFC 3501 §11.2).

    Raises AuthFailed, LimitReached.
    """
    try:
        account = yield claim
    except (AuthFailed, LimitReached) as error:
        session.failures += 1
        if session.failures >= session.limits.auth_failures:
            session.is_over = True
            yield Send([response.bye("Too many failed log-ins")])
        if isinstance(error, LimitReached):
            raise
        raise AuthFailed("User name or password is wrong") from None
    session.log_in(account)
    return Tagged(capabilities.code(session), "Logged in.")
