"""A server that cannot keep up serves who is there, and turns away who comes.

Spec: RFC 5321 §3.8, §4.2.1; RFC 3463 §3.4.  Status: complete.
"""

from mailserver.mta.check import Asked, Verdict, early
from mailserver.smtp.reply import Reply

NAME = "overload"


@early(NAME, stage="connect", order=10)
def overload(asked: Asked) -> Verdict:
    """Refused while the server is overloaded: mail servers first, users only when it gets worse."""
    if asked.overload:
        return Verdict(
            NAME, asked.overload, Reply(421, "4.3.2", "Overloaded, try again in a few minutes")
        )
    return Verdict(NAME, "no")
