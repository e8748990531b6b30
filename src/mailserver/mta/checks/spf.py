"""Whether the client may send mail for the domain of the envelope sender.

Spec: RFC 7208 §2.4, §8.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check

NAME = "spf"


@check(NAME, order=80, applies_to="judged")
def spf(message: Message) -> Verdict:
    """Refused where all recipients' domains want that for the result, unless DMARC passes."""
    found = message.found
    return message.follows(NAME, f"{found.spf.result}: {found.spf.reason}")
