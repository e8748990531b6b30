"""Whether the client may call itself what it does.

Spec: RFC 7208 §2.3.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check

NAME = "helo"


@check(NAME, order=70, applies_to="judged")
def helo(message: Message) -> Verdict:
    """Never refuses: SPF of the name in EHLO; it is told, and counts as the sender's where that is null."""
    found = message.found
    return Verdict(NAME, f"{found.helo.result}: {found.helo.reason}")
