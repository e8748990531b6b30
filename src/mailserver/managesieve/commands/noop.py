"""NOOP: are you there?

Spec: RFC 5804 §2.13.  Status: complete.
"""

from typing import Any

from mailserver.managesieve import response
from mailserver.managesieve.registry import Shape, State, command
from mailserver.managesieve.session import Session


@command("NOOP", bytes, state=State.ANY, shape=Shape.SAYS, optional=1)
def noop(session: Session, args: tuple[bytes, ...], tx: Any) -> bytes:
    """OK, with the client's string as a tag."""
    if not args:
        return response.ok("Here I am.")
    return response.ok("Here I am.", b"TAG " + response.string(args[0]))
