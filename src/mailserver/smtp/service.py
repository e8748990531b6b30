"""What a listener offers to all its clients.

Spec: RFC 5321 §2.1; RFC 6409 §3; RFC 2033 §4.  Status: complete.
"""

from dataclasses import dataclass
from enum import Enum

from mailserver.base.limits import SmtpLimits
from mailserver.smtp.parameters import Offer


class Kind(Enum):
    """Who talks to this listener."""

    MX = "mail from other servers (RFC 5321)"
    SUBMISSION = "mail from users who log in (RFC 6409)"
    LMTP = "mail from a server that trusts us with its queue's end (RFC 2033)"


@dataclass(frozen=True, slots=True)
class Service:
    """A listener.

    has_tls:    there is a certificate, STARTTLS may be offered.
    has_binary: BINARYMIME content is taken (RFC 3030 §3).
    """

    hostname: str
    kind: Kind
    has_tls: bool
    limits: SmtpLimits
    has_binary: bool = False

    @property
    def is_submission(self) -> bool:
        """Whether mail is submitted here, by users who log in."""
        return self.kind is Kind.SUBMISSION

    @property
    def is_lmtp(self) -> bool:
        """Whether each recipient gets a reply of his own after the content (RFC 2033 §4.2)."""
        return self.kind is Kind.LMTP

    def offer(self, *, is_tls: bool) -> Offer:
        """What MAIL may ask for on a connection with TLS or without."""
        hold_s = self.limits.hold_s if self.is_submission else 0
        return Offer(self.is_submission, is_tls, self.has_binary, hold_s)
