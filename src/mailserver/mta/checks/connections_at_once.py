"""Connections take memory whether they say something or not.

Spec: RFC 5321 §3.8.  Status: complete.
"""

from mailserver.mta.check import Asked, Verdict, early
from mailserver.smtp.reply import Reply

NAME = "connections at once"


@early(NAME, stage="connect", order=30)
def connections_at_once(asked: Asked) -> Verdict:
    """Refused above the connections that there may be at the same time: in all, from one address, without log-in."""
    if asked.crowd:
        return Verdict(NAME, asked.crowd, Reply(421, "4.3.2", asked.crowd))
    return Verdict(NAME, "there is room")
