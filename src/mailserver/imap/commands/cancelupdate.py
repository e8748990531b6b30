"""CANCELUPDATE: searches that are not to be kept up to date any longer.

Spec: RFC 5267 §4.3.5, §5.  Status: complete.
"""

from mailserver.imap.conversation import Conversation
from mailserver.imap.errors import Code
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.response import Tagged
from mailserver.imap.session import Session


def parse(p: Parser) -> list[bytes]:
    """1*(SP quoted), the tags of the searches (RFC 5267 §5)."""
    return p.sp().tokens(Parser.string)


@conversation("CANCELUPDATE", state=State.SELECTED, parse=parse)
def cancel_update(session: Session, args: list[bytes]) -> Conversation:
    """Those that are known are cancelled even if others are not, of which NO tells."""
    contexts = session.view.contexts
    unknown = [tag for tag in args if contexts.pop(tag, None) is None]
    if unknown:
        raise Code("", "There are no updates for some of these tags.")
    return Tagged(text="No further updates.")
    yield
