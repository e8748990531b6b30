"""What the server says of itself: the extensions in EHLO's answer, and HELP.

Spec: RFC 5321 §4.1.1.1, §4.1.1.8; RFC 1870 §4; RFC 2920 §3; RFC 6152 §2; RFC 6531 §3.1; RFC 2034 §3; RFC 3207 §3;
RFC 4954 §3.  Status: complete.
"""

from collections.abc import Sequence

from mailserver.smtp.commands import COMMANDS


def extensions(message_size: int, *, starttls: bool, mechanisms: Sequence[str]) -> list[str]:
    """The lines below our name; HELP is one since it is not required of servers (RFC 5321 §4.1.1.1)."""
    return [
        "PIPELINING",
        f"SIZE {message_size}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        *(["STARTTLS"] if starttls else []),
        *([f"AUTH {' '.join(mechanisms)}"] if mechanisms else []),
        "HELP",
    ]


def help_on(topic: str, *, is_submission: bool) -> str | None:
    """What HELP says about the command *topic*, or about all if it is ""; None if there is nothing to say."""
    if topic:
        command = COMMANDS.get(topic.upper())
        if command is None or not command.implemented:
            return None
        return f"{command.syntax} ({command.clause.replace('§', 'section ')})"
    here = [
        verb
        for verb, c in COMMANDS.items()
        if c.implemented and (is_submission or not c.submission)
    ]
    return f"Commands: {' '.join(here)}"
