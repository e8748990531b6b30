"""A message that is read once for all of its signatures.

Spec: RFC 6376 §3.7, §3.8; RFC 5322 §3.6.  Status: complete.
"""

from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.body import Bodies
from mailserver.mailauth.dkim.header import Header

#: fields of which a reader sees one, though a message that is no message may have several (RFC 5322 §3.6, RFC 2045 §5)
SINGLE = frozenset(
    (b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"content-type")
)


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
