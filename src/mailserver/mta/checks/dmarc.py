"""Whether the domain in From stands behind the message, and what its owner wants if not.

Spec: RFC 9989 §5.3, §5.4.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check

NAME = "dmarc"


@check(NAME, order=110, applies_to="judged")
def dmarc(message: Message) -> Verdict:
    """Refused where its owner and all recipients' domains want that, unless somebody trusted has passed it on."""
    found = message.found
    domain = f" for {found.dmarc.domain}" if found.dmarc.domain else ""
    return message.follows(NAME, f"{found.dmarc.result}{domain}: {found.dmarc.reason}")
