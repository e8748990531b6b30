"""Who has passed the message on, and whether their chain of seals holds.

Spec: RFC 8617 §5.2, §8.1.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check

NAME = "arc"


@check(NAME, order=100, applies_to="judged")
def arc(message: Message) -> Verdict:
    """Never refuses: a broken chain is as good as none; what trusted sealers say counts for DMARC."""
    found = message.found
    return Verdict(NAME, f"{found.arc.result}: {found.arc.reason}")
