"""Whether the client's address has a name, and the name the address.

Spec: RFC 8601 §2.7.3, §3.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check

NAME = "iprev"


@check(NAME, order=60, applies_to="judged")
def iprev(message: Message) -> Verdict:
    """Never refuses: many honest servers have no proper name; it is told."""
    found = message.found
    return Verdict(NAME, f"{found.iprev.result}: {found.iprev.reason}")
