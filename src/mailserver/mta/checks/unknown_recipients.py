"""Who asks for hundreds of recipients that do not exist is looking for those that do.

Spec: RFC 5321 §7.3, §7.8.  Status: complete.
"""

from mailserver.mta.check import Asked, Verdict, early
from mailserver.smtp.reply import Reply

NAME = "unknown recipients"


@early(NAME, stage="rcpt", order=10)
def unknown_recipients(asked: Asked) -> Verdict:
    """Refused, whether it exists or not, above the unknown recipients of an address or network in an hour."""
    if asked.refused is not None:
        return Verdict(NAME, str(asked.refused), Reply(450, "4.7.1", str(asked.refused)))
    return Verdict(NAME, asked.who or "not limited")
