"""How the server's refusals read on the wire.

Spec: RFC 5530 §3; RFC 3501 §7.1; RFC 4469 §4.2 (TOOBIG); RFC 9051 §7.1; RFC 9586 §3.  Status: complete.
"""

from mailserver.base import errors
from mailserver.base.errors import MailError, PeerError

#: the most derived class wins
CODES: dict[type[MailError], str] = {
    errors.NotFound: "NONEXISTENT",
    errors.NoTarget: "TRYCREATE",
    errors.AlreadyExists: "ALREADYEXISTS",
    errors.NotAllowed: "NOPERM",
    errors.ReadOnly: "READ-ONLY",
    errors.Cannot: "CANNOT",
    errors.HasChildren: "HASCHILDREN",  # RFC 9051 §6.3.5
    errors.InUse: "INUSE",
    errors.AuthFailed: "AUTHENTICATIONFAILED",
    errors.OverQuota: "OVERQUOTA",
    errors.TooLarge: "TOOBIG",
    errors.LimitReached: "LIMIT",
    errors.TryLater: "UNAVAILABLE",
    errors.Expunged: "EXPUNGEISSUED",
    errors.Corrupt: "CORRUPTION",
}


class Code(MailError):
    """A refusal that has a response code of its own, which no error in mail terms stands for."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class UidRequired(PeerError):
    """Message numbers from a client that has given them up (RFC 9586 §3)."""

    def __init__(self) -> None:
        super().__init__("message numbers cannot be used once UIDONLY is enabled")


def bad_code(error: PeerError) -> str:
    """The response code for a BAD, "" where none says it."""
    return "UIDREQUIRED" if isinstance(error, UidRequired) else ""


def code(error: MailError) -> str:
    """The response code for *error*, "" where none says it."""
    if isinstance(error, Code):
        return error.code
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), "")
