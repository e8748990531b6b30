"""What is remembered of a mail transaction, so that it can be explained later.

Everything is text and numbers: what was said and decided, never content, never a password.
"""

from typing import NamedTuple


class Step(NamedTuple):
    """Something that was decided on the way.

    stage:  "connect", "log-in", "mail", "rcpt", "data" or "filing".
    what:   the check or the part that decided.
    reply:  what the client heard if that was a refusal; "" when the message went on.
    about:  the recipient that was refused; "" if it was not one.
    """

    stage: str
    what: str
    reason: str
    reply: str = ""
    about: str = ""


class Reached(NamedTuple):
    """A recipient that was taken on.

    accounts: ids of the accounts that were to get the message.
    remote:   addresses elsewhere that it was to be sent to; by which way, the queue knows.
    """

    address: str
    accounts: tuple[int, ...]
    remote: tuple[str, ...] = ()


class Copy(NamedTuple):
    """A copy in a mailbox of ours."""

    account: int
    mailbox: int
    uid: int
    message: int


class Trace(NamedTuple):
    """One transaction, or a refusal outside of one.

    id:         as in the reply and the Received field; "" for what never became a transaction.
    at_ms:      UTC epoch milliseconds when it ended.
    took_ms:    from MAIL to the last reply.
    is_taken:   the message was accepted.
    listener:   "smtp", "submission", ...
    session:    as on every line of the log about this connection.
    account:    who had logged in, or the name of a log-in that failed; "" for strangers.
    sender:     reverse-path; None where there was none yet, "" is the null one.
    queued:     ids in the queue.
    omitted:    recipients and steps beyond those that are kept.
    reply:      the last one about this transaction; "" when the client went before.
    """

    id: str = ""
    at_ms: int = 0
    took_ms: int = 0
    is_taken: bool = False
    listener: str = ""
    session: str = ""
    peer: str = ""
    helo: str = ""
    tls: str = ""
    account: str = ""
    sender: str | None = None
    recipients: tuple[Reached, ...] = ()
    message_id: str = ""
    size: int = 0
    steps: tuple[Step, ...] = ()
    copies: tuple[Copy, ...] = ()
    queued: tuple[int, ...] = ()
    omitted: int = 0
    reply: str = ""
