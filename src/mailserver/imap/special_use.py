r"""Which special uses a mailbox can be given.

Spec: RFC 6154 §2, §3, §4; RFC 8457 §3.  Status: complete.

A use is advice to the user's programs: here lie drafts, there goes what was sent.  \All and \Flagged would promise a
mailbox that shows messages of other mailboxes; there is none, so nobody is given them (docs/decisions/0160).
"""

from collections.abc import Sequence

from mailserver.base.errors import PeerError
from mailserver.base.ids import AccountId
from mailserver.imap.errors import Code
from mailserver.imap.session import Session
from mailserver.store.names import USES


def assignable(session: Session, account: AccountId, uses: Sequence[str]) -> str | None:
    """The one of *uses* as it is listed, None for none; whether another mailbox has it is not looked at.

    account: whose mailbox it is.  Raises USEATTR, and PeerError for what is no attribute at all.
    """
    if any(not name.startswith("\\") for name in uses):
        raise PeerError("a special use begins with a backslash")
    if not uses:
        return None
    if len({name.lower() for name in uses}) > 1:
        raise Code("USEATTR", "A mailbox has at most one special use")
    use = USES.get(uses[0].lower())
    if use is None:
        raise Code("USEATTR", f"{uses[0]} is not supported")
    if (
        account != session.account.id
    ):  # it would tell the owner's programs what to do, not the user's
        raise Code("USEATTR", "Only mailboxes of one's own have special uses")
    return use
