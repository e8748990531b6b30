"""How many messages, and how much of them, somebody sends in an hour or a day.

Spec: RFC 5321 §4.2.1, §7.8; RFC 6409 §3.3.  Status: complete.
"""

from mailserver.mta.check import Asked, Verdict, early
from mailserver.smtp.reply import Reply

NAME = "message rate"


@early(NAME, stage="mail", order=10)
def message_rate(asked: Asked) -> Verdict:
    """Refused above the messages or octets of an account, a sender, its domain, or a client's address or network."""
    if asked.rate is not None:
        return Verdict(NAME, str(asked.rate), Reply(450, "4.7.1", str(asked.rate)))
    return Verdict(NAME, asked.who or "not limited")
