"""A message that has been through too many hands is going round in circles.

Spec: RFC 5321 §6.3.  Status: complete.
Deviates: the default is 50 Received fields, as Postfix has it, where RFC 5321 §6.3 says normally at least 100.
"""

from mailserver.mta.check import Message, Verdict, check
from mailserver.smtp.reply import Reply

NAME = "loop"


@check(NAME, order=30)
def loop(message: Message) -> Verdict:
    """Refused with more Received fields, ours not counted, than the limit on hops."""
    hops, most = message.derived.hops - 1, message.limits.smtp.hops
    if hops > most:
        text = f"Mail loop: the message has passed through {hops} servers, {most} are allowed"
        return Verdict(NAME, f"{hops} hops, {most} allowed", Reply(554, "5.4.6", text))
    return Verdict(NAME, f"{hops} hops")
