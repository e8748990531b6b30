"""An AUTH exchange: a SASL mechanism in base64 lines.

Spec: RFC 4954 §4.  Status: complete.
"""

import base64
import binascii
from typing import TypeAlias

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import Challenge, Credentials, Mechanism, Proof, Wanted
from mailserver.sasl.registry import Channel, begin
from mailserver.smtp import replies
from mailserver.smtp.lines import Line
from mailserver.smtp.reply import Reply

MAX_LINE = 12_288  #: octets of a line with its CRLF (RFC 4954 §4)


#: what a step ends in: a 334, a question to us, what the client claims or has shown, or a refusal that ends all
Heard: TypeAlias = Reply | Wanted | Credentials | Proof


class Exchange:
    """One exchange."""

    __slots__ = ("_mechanism", "name")

    def __init__(self, name: str, mechanism: Mechanism) -> None:
        self.name = name
        self._mechanism = mechanism

    @classmethod
    def of(cls, name: str, channel: Channel) -> "Exchange | None":
        """A fresh exchange of the mechanism *name*; None if it is not offered here."""
        mechanism = begin(name, channel)
        return cls(name.upper(), mechanism) if mechanism else None

    def begin(self, initial: str) -> Heard:
        """The first step; initial: the rest of the AUTH command, "" without one, "=" for an empty one."""
        if not initial:
            return self._step(None)
        return self._decoded(b"" if initial == "=" else initial.encode())

    def hear(self, line: Line) -> Heard:
        """The client's answer to a 334."""
        if line.fault is replies.LINE_TOO_LONG:
            return replies.RESPONSE_TOO_LONG
        if line.fault is not None:
            return line.fault
        return replies.CANCELLED if line.octets == b"*" else self._decoded(line.octets)

    def _decoded(self, line: bytes) -> Heard:
        try:
            return self._step(base64.b64decode(line, validate=True))
        except binascii.Error:
            return replies.BAD_RESPONSE

    def _step(self, response: bytes | None) -> Heard:
        try:
            said = self._mechanism.step(response)
        except PeerError:
            return replies.BAD_RESPONSE
        return challenge(said) if isinstance(said, Challenge) else said


def challenge(said: Challenge) -> Reply:
    """What a mechanism says to the client."""
    return Reply(334, "", base64.b64encode(said.data).decode())
