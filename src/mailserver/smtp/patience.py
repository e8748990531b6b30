"""How much a client may try our patience: everything that is counted on one connection, and the reply that ends it.

Spec: RFC 5321 §4.5.3.1.8, §7.8; RFC 4954 §9.  Status: complete.
Deviates: RFC 5321 §4.1.1.5 and §4.1.1.10 leave it to the client to end a connection; §7.8 lets a server defend itself.
"""

from mailserver.base.limits import SmtpLimits
from mailserver.smtp import replies
from mailserver.smtp.reply import Reply


class Patience:
    """Counts; each method returns the reply that ends the connection once its limit is passed, else None.

    errors: commands refused so far, recipients not counted.
    """

    __slots__ = ("_failures", "_idle", "_limits", "_messages", "_refused", "_tries", "errors")

    def __init__(self, limits: SmtpLimits) -> None:
        self._limits = limits
        self.errors = 0
        self._refused = 0  # recipients, for good
        self._tries = 0  # RCPT commands of this transaction
        self._idle = 0  # commands since the last message that are neither errors nor part of one
        self._failures = 0  # of authentication
        self._messages = 0

    @property
    def has_tried(self) -> bool:
        """Whether there was a RCPT in this transaction."""
        return self._tries > 0

    def error(self) -> Reply | None:
        """A command was refused."""
        self.errors += 1
        return replies.TOO_MANY_ERRORS if self.errors >= self._limits.errors else None

    def idle(self) -> Reply | None:
        """A command that brings no message closer."""
        self._idle += 1
        return replies.TOO_MANY_COMMANDS if self._idle > self._limits.idle_commands else None

    def message(self) -> Reply | None:
        """Another message is about to begin."""
        return replies.TOO_MANY_MESSAGES if self._messages >= self._limits.transactions else None

    def recipient(self) -> Reply | None:
        """A RCPT, whatever becomes of it."""
        self._tries += 1
        return replies.TOO_MANY_COMMANDS if self._tries > 10 * self._limits.recipients else None

    def refused_recipient(self, reply: Reply) -> Reply | None:
        """A RCPT was refused with *reply*.

        Apart from other errors: a list has many stale addresses, and its good ones should still get their mail.
        """
        self._refused += reply.is_permanent
        return (
            replies.TOO_MANY_REFUSALS if self._refused > self._limits.refused_recipients else None
        )

    def failed_login(self) -> Reply | None:
        """A log-in was refused for good."""
        self._failures += 1
        return replies.TOO_MANY_LOGINS if self._failures >= self._limits.auth_failures else None

    def end_of_message(self) -> None:
        """A message has come to its end, taken or not."""
        self._messages += 1
        self._idle = 0

    def reset(self) -> None:
        """No transaction any more."""
        self._tries = 0
