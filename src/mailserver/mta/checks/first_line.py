"""A message that begins with a blank would become part of the fields that we put before it.

Spec: RFC 5322 §2.2.3; RFC 7103 §7.3.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check
from mailserver.smtp.reply import Reply

NAME = "first line"


@check(NAME, order=10)
def first_line(message: Message) -> Verdict:
    """Refused when the first octet is a space or tab: a folded line without a field to belong to."""
    if message.first in (b" ", b"\t"):
        text = "Message refused: its first line is the continuation of a field that is not there"
        return Verdict(NAME, "begins with a blank", Reply(550, "5.6.0", text))
    return Verdict(NAME, "begins a field or body")
