"""A client that comes again and again within a minute keeps others from coming at all.

Spec: RFC 5321 §3.8.  Status: complete.
"""

from mailserver.mta.check import Asked, Verdict, early
from mailserver.smtp.reply import Reply

NAME = "connection rate"


@early(NAME, stage="connect", order=20)
def connection_rate(asked: Asked) -> Verdict:
    """Refused above the connections that an address or a network may make in a minute."""
    if asked.rate is not None:
        return Verdict(NAME, str(asked.rate), Reply(421, "4.3.2", str(asked.rate)))
    return Verdict(NAME, asked.who or "not limited")
