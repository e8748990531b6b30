"""What goes wrong, in ManageSieve's words.

Spec: RFC 5804 §1.3.  Status: complete.
"""

from mailserver.base.errors import (
    AlreadyExists,
    AuthFailed,
    InUse,
    LimitReached,
    MailError,
    NotFound,
    OverQuota,
    TryLater,
)

#: the most derived class wins
CODES: dict[type[MailError], bytes] = {
    NotFound: b"NONEXISTENT",
    AlreadyExists: b"ALREADYEXISTS",
    InUse: b"ACTIVE",
    OverQuota: b"QUOTA/MAXSIZE",
    LimitReached: b"QUOTA/MAXSCRIPTS",
    TryLater: b"TRYLATER",
    AuthFailed: b"",
}


def code(error: MailError) -> bytes:
    """The response code of *error*, b"" for none."""
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), b"")
