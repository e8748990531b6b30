"""Who fails to log in again and again is guessing.

Spec: RFC 4954 §4 (454); RFC 4422 §6.1.  Status: complete.
"""

from mailserver.mta.check import Asked, Verdict, early
from mailserver.smtp.reply import Reply

NAME = "guessing"


@early(NAME, stage="log-in", order=10)
def guessing(asked: Asked) -> Verdict:
    """Refused above the failed log-ins of an address or network in an hour, except where the account is known."""
    if asked.rate is not None:
        return Verdict(NAME, str(asked.rate), Reply(454, "4.7.0", str(asked.rate)))
    return Verdict(NAME, asked.who or "not limited")
