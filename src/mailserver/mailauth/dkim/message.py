"""A message that is read once for all of its signatures.

Spec: RFC 6376 §3.7, §3.8.  Status: complete.
"""

from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.body import Bodies
from mailserver.mailauth.dkim.header import Header


class Message:
    """The header at once, then the body in pieces.

    message = Message(header_block)
    dkim, arc = Verification(message, now=now), Chain(message)      # whoever wants something says so now
    for piece in body:
        message.feed(piece)
    """

    def __init__(self, header_block: bytes, limits: DkimLimits | None = None) -> None:
        """*header_block*: with or without the empty line at its end."""
        self.limits = limits or DkimLimits()
        self.header = Header(header_block, max_size=self.limits.header_size)
        self.bodies = Bodies()

    def feed(self, piece: bytes) -> None:
        """The next piece of the body."""
        self.bodies.feed(piece)
