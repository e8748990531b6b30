"""The capability list of a session: the tables of the registry, and what hangs on TLS and log-in.

Spec: RFC 3501 §6.1.1, §6.2.1, §7.2.1, §11.1; RFC 4959 §3; RFC 6785 §2.1; RFC 7889 §2 (APPENDLIMIT).  Status: complete.
"""

from mailserver.imap.registry import CAPABILITIES, State
from mailserver.imap.session import Session
from mailserver.sasl.registry import offered


def names(session: Session) -> list[str]:
    """IMAP4rev1 first, then IMAP4rev2 (RFC 9051 Appendix A), the others in alphabetical order.

    Those that the configuration withholds are not among them, but work.
    Before log-in: the mechanisms that may be used now, LOGINDISABLED where LOGIN may not, STARTTLS where it helps.
    """
    state = session.state
    out = [
        name
        for name, where in CAPABILITIES.items()
        if where is State.ANY
        or (where is State.NOT_AUTHENTICATED) == (state is State.NOT_AUTHENTICATED)
    ]
    out.append(f"APPENDLIMIT={session.limits.append_size}")
    if session.server.managesieve:
        out.append(f"IMAPSIEVE={session.server.managesieve}")  # RFC 6785 §2.1
    if state is not State.NOT_AUTHENTICATED and session.account.is_admin:
        out.append("QUOTASET")  # RFC 9208 §4.1.3
    if state is State.NOT_AUTHENTICATED:
        out += [f"AUTH={name}" for name in offered(session.channel)]
        if not may_log_in(session):
            out.append("LOGINDISABLED")
        if session.server.has_tls and not session.is_tls:
            out.append("STARTTLS")
    withheld = {name.upper() for name in session.limits.withheld}
    found = ["IMAP4rev1", "IMAP4rev2", *sorted(out)]
    return [name for name in found if name.upper() not in withheld]


def code(session: Session) -> str:
    """The list as a response code, for the greeting and for log-in (RFC 3501 §7.1, CAPABILITY)."""
    return " ".join(("CAPABILITY", *names(session)))


def may_log_in(session: Session) -> bool:
    """Whether a password may come over this connection as it is (RFC 3501 §11.2)."""
    return session.is_tls or session.cleartext
