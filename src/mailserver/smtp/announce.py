"""What the server says of itself: the extensions in EHLO's answer, and HELP.

Spec: RFC 5321 §4.1.1.1, §4.1.1.8; RFC 1870 §4; RFC 2920 §3; RFC 6152 §2; RFC 6531 §3.1; RFC 2034 §3; RFC 3207 §3;
RFC 4954 §3; RFC 3030 §2; RFC 9422 §3; RFC 3461 §4; RFC 8689 §2; RFC 4865 §3.  Status: complete.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from mailserver.smtp.commands import COMMANDS
from mailserver.smtp.service import Kind, Service

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}|\[[A-Za-z0-9:.]{1,255}\]")


def client_name(argument: str) -> str | None:
    """What a client calls itself in EHLO, HELO or LHLO; None if that is no name.

    Client: underscores and a comment behind the name are common and taken (RFC 5321 §4.1.1.1).
    """
    name = argument.lstrip(" ").partition(" ")[0]
    return name if _NAME.fullmatch(name) else None


def extensions(
    service: Service, message_size: int, *, is_tls: bool, mechanisms: Sequence[str], now: int
) -> list[str]:
    """The lines below our name; HELP is one since it is not required of servers (RFC 5321 §4.1.1.1)."""
    limits = service.limits
    return [
        "PIPELINING",
        f"SIZE {message_size}",
        "8BITMIME",
        *(["BINARYMIME"] if service.has_binary else []),
        "CHUNKING",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "DSN",
        *(["REQUIRETLS"] if is_tls else []),
        *(
            [f"FUTURERELEASE {limits.hold_s} {_latest(now + limits.hold_s)}"]
            if service.is_submission
            else []
        ),
        f"LIMITS RCPTMAX={limits.recipients} MAILMAX={limits.transactions}",
        *(["STARTTLS"] if service.has_tls and not is_tls else []),
        *([f"AUTH {' '.join(mechanisms)}"] if mechanisms else []),
        "HELP",
    ]


def _latest(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def help_on(topic: str, kind: Kind) -> str | None:
    """What HELP says about the command *topic*, or about all if it is ""; None if there is nothing to say."""
    if topic:
        command = COMMANDS.get(topic.upper())
        if command is None or not command.implemented or kind not in command.kinds:
            return None
        return f"{command.syntax} ({command.clause.replace('§', 'section ')})"
    here = [verb for verb, c in COMMANDS.items() if c.implemented and kind in c.kinds]
    return f"Commands: {' '.join(here)}"
