"""A header section beyond what is parsed would hide fields from every other check.

Spec: RFC 5321 §4.5.3.1.9; RFC 7103 §8.1.  Status: complete.
"""

from mailserver.mta.check import Message, Verdict, check
from mailserver.smtp.reply import Reply

NAME = "header size"


@check(NAME, order=20)
def header_size(message: Message) -> Verdict:
    """Refused above the `mime` limit on header sections."""
    size, most = message.derived.header_size, message.limits.mime.header_size
    if size >= most:
        text = f"Message refused: its header section is larger than {most} octets"
        return Verdict(NAME, f"{size} octets, {most} allowed", Reply(552, "5.3.4", text))
    return Verdict(NAME, f"{size} octets")
