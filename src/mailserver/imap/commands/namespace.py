"""NAMESPACE: where mailboxes are: the user's own at the root, those of others below names of their own.

Spec: RFC 2342 §5, §6.  Status: complete.
"""

from collections.abc import Generator

from mailserver.imap import access, response
from mailserver.imap.registry import State, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.names import OTHERS, SHARED
from mailserver.store.tx import Read


@command("NAMESPACE", state=State.AUTHENTICATED, capability="NAMESPACE")
def namespace(session: Session, args: None, tx: Read) -> Generator[Response, None, None]:
    """Personal, other users', shared (RFC 2342 §6); NIL for what the user sees nothing of."""
    others, shared = access.roots(session, tx)
    yield response.line(
        b'NAMESPACE (("" "/")) %b %b' % (_root(OTHERS, others), _root(SHARED, shared))
    )


def _root(name: str, is_there: bool) -> bytes:
    return b'(("%b/" "/"))' % name.encode("ascii") if is_there else b"NIL"
