"""An AUTH exchange: a SASL mechanism in base64 lines.

Spec: RFC 4954 §4.  Status: complete.
"""

import base64
import binascii

from mailserver.base.errors import PeerError
from mailserver.sasl.mechanism import Challenge, Credentials, Mechanism
from mailserver.sasl.registry import begin
from mailserver.smtp import replies
from mailserver.smtp.lines import Line
from mailserver.smtp.reply import Reply

MAX_LINE = 12_288  #: octets of a line with its CRLF (RFC 4954 §4)


class Exchange:
    """One exchange.  Each step ends in a 334, in credentials, or in the refusal that ends the exchange."""

    __slots__ = ("_mechanism", "name")

    def __init__(self, name: str, mechanism: Mechanism) -> None:
        self.name = name
        self._mechanism = mechanism

    @classmethod
    def of(cls, name: str, *, is_tls: bool, cleartext: bool) -> "Exchange | None":
        """A fresh exchange of the mechanism *name*; None if it is not offered here."""
        mechanism = begin(name, is_tls, cleartext)
        return cls(name.upper(), mechanism) if mechanism else None

    def begin(self, initial: str) -> Reply | Credentials:
        """The first step; initial: the rest of the AUTH command, "" without one, "=" for an empty one."""
        if not initial:
            return self._step(None)
        return self._decoded(b"" if initial == "=" else initial.encode())

    def hear(self, line: Line) -> Reply | Credentials:
        """The client's answer to a 334."""
        if line.fault is replies.LINE_TOO_LONG:
            return replies.RESPONSE_TOO_LONG
        if line.fault is not None:
            return line.fault
        return replies.CANCELLED if line.octets == b"*" else self._decoded(line.octets)

    def _decoded(self, line: bytes) -> Reply | Credentials:
        try:
            return self._step(base64.b64decode(line, validate=True))
        except binascii.Error:
            return replies.BAD_RESPONSE

    def _step(self, response: bytes | None) -> Reply | Credentials:
        try:
            said = self._mechanism.step(response)
        except PeerError:
            return replies.BAD_RESPONSE
        if isinstance(said, Challenge):
            return Reply(334, "", base64.b64encode(said.data).decode())
        return said
