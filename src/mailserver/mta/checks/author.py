"""A user writes in his own name: From and Sender hold addresses that are his.

Spec: RFC 6409 §6.1, §8.1; RFC 4954 §9.  Status: complete.
Deviates: RFC 5321 §7.1 warns of such checks; a user who may send for somebody gets an alias that leads to him, too.
"""

from mailserver.mta.check import Message, Verdict, check
from mailserver.smtp.reply import Reply

NAME = "author"
SHOWN = 3  #: addresses named in the refusal


@check(NAME, order=50, applies_to="submitted")
def author(message: Message) -> Verdict:
    """Refused when an address in From or Sender is none, or not the user's."""
    if message.authors.broken:
        named = _shown(message.authors.broken)
        text = f"Message refused: no valid address in From or Sender: {named}"
        return Verdict(NAME, f"broken: {named}", Reply(550, "5.6.0", text))
    if message.foreign:
        named = _shown(message.foreign)
        text = f"Not your address in From or Sender: {named}"
        return Verdict(NAME, f"foreign: {named}", Reply(550, "5.7.1", text))
    return Verdict(NAME, f"{len(message.authors.addresses)} addresses, all his own")


def _shown(addresses: tuple[str, ...]) -> str:
    named = ", ".join(
        "".join(c if c.isprintable() else "?" for c in a[:80]) for a in addresses[:SHOWN]
    )
    return f"{named}, ..." if len(addresses) > SHOWN else named
