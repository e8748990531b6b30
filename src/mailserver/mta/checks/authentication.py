"""Whether mail authentication was asked, and if not, why.

Spec: RFC 8601 §1.5.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check

NAME = "authentication"


@check(NAME, order=55, applies_to="received")
def authentication(message: Message) -> Verdict:
    """Never refuses: says why the checks behind it were not asked, where they were not."""
    return Verdict(NAME, "asked" if message.findings is not None else message.not_judged)
