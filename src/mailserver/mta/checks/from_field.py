"""Two From fields: readers show one and whoever verifies the sender looks at the other.

Spec: RFC 5322 §3.6; RFC 7103 §7.5.1; RFC 6409 §6.2.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check
from mailserver.smtp.reply import Reply

NAME = "From field"


@check(NAME, order=40)
def from_field(message: Message) -> Verdict:
    """Refused with two or more; when submitted also without one, or with two Sender fields."""
    authors = message.authors
    found = f"{authors.from_fields} From, {authors.sender_fields} Sender"
    if authors.from_fields > 1:
        text = f"Message refused: it has {authors.from_fields} From fields, one is allowed"
        return Verdict(NAME, found, Reply(550, "5.7.1", text))
    if not message.is_submitted:
        return Verdict(NAME, found)
    if not authors.from_fields:
        return Verdict(NAME, found, Reply(550, "5.6.0", "Message refused: it has no From field"))
    if authors.sender_fields > 1:
        text = f"Message refused: it has {authors.sender_fields} Sender fields, one is allowed"
        return Verdict(NAME, found, Reply(550, "5.7.1", text))
    return Verdict(NAME, found)
