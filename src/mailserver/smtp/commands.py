"""The SMTP commands as a table: when each is allowed, what it may carry, whether its answer may wait in a group.

Spec: RFC 5321 §4.1.1, §4.1.4, §4.5.1; RFC 2920 §3.1; RFC 3207 §4; RFC 4954 §4.  Status: complete.
"""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How far the client has come."""

    NEW = "no EHLO or HELO yet"
    READY = "greeted, no transaction"
    MAIL = "sender given"
    RCPT = "at least one recipient accepted"


class Argument(Enum):
    """Whether something follows the verb."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


ANY = frozenset(State)


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    out_of_order: the text of the 503 in states where it is not allowed.
    is_grouped:   its answer may wait for those of the commands that follow (RFC 2920 §3.2).
    submission:   True: only where mail is submitted; False: everywhere.
    implemented:  False: known, and answered with 502 (RFC 5321 §4.2.4).
    """

    syntax: str
    allowed: frozenset[State]
    argument: Argument
    clause: str
    out_of_order: str = ""
    is_grouped: bool = False
    submission: bool = False
    implemented: bool = True


EHLO_FIRST = "Say EHLO first"

COMMANDS: dict[str, Command] = {
    "EHLO": Command("EHLO domain", ANY, Argument.REQUIRED, "RFC 5321 §4.1.1.1"),
    "HELO": Command("HELO domain", ANY, Argument.REQUIRED, "RFC 5321 §4.1.1.1"),
    "MAIL": Command(
        "MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME] [SMTPUTF8]",
        frozenset({State.READY}),
        Argument.REQUIRED,
        "RFC 5321 §4.1.1.2",
        "A transaction is open already: finish it with DATA or RSET",
        is_grouped=True,
    ),
    "RCPT": Command(
        "RCPT TO:<address>",
        frozenset({State.MAIL, State.RCPT}),
        Argument.REQUIRED,
        "RFC 5321 §4.1.1.3",
        "MAIL comes before RCPT",
        is_grouped=True,
    ),
    "DATA": Command(
        "DATA",
        frozenset({State.RCPT}),
        Argument.NONE,
        "RFC 5321 §4.1.1.4",
        "MAIL and RCPT come before DATA",
    ),
    "RSET": Command("RSET", ANY, Argument.NONE, "RFC 5321 §4.1.1.5", is_grouped=True),
    "VRFY": Command("VRFY address [SMTPUTF8]", ANY, Argument.REQUIRED, "RFC 5321 §4.1.1.6"),
    "HELP": Command("HELP [command]", ANY, Argument.OPTIONAL, "RFC 5321 §4.1.1.8"),
    "NOOP": Command("NOOP [anything]", ANY, Argument.OPTIONAL, "RFC 5321 §4.1.1.9"),
    "QUIT": Command("QUIT", ANY, Argument.NONE, "RFC 5321 §4.1.1.10"),
    "STARTTLS": Command("STARTTLS", ANY, Argument.NONE, "RFC 3207 §4"),
    "AUTH": Command(
        "AUTH mechanism [initial-response]",
        frozenset({State.READY}),
        Argument.REQUIRED,
        "RFC 4954 §4",
        "AUTH is not allowed during a transaction",
        submission=True,
    ),
    "EXPN": Command("EXPN list", ANY, Argument.OPTIONAL, "RFC 5321 §4.1.1.7", implemented=False),
    "BDAT": Command("BDAT size [LAST]", ANY, Argument.OPTIONAL, "RFC 3030 §2", implemented=False),
    "ETRN": Command("ETRN domain", ANY, Argument.OPTIONAL, "RFC 1985 §5", implemented=False),
    "TURN": Command("TURN", ANY, Argument.OPTIONAL, "RFC 5321 §F.1", implemented=False),
    "SEND": Command(
        "SEND FROM:<address>", ANY, Argument.OPTIONAL, "RFC 5321 §F.6", implemented=False
    ),
    "SOML": Command(
        "SOML FROM:<address>", ANY, Argument.OPTIONAL, "RFC 5321 §F.6", implemented=False
    ),
    "SAML": Command(
        "SAML FROM:<address>", ANY, Argument.OPTIONAL, "RFC 5321 §F.6", implemented=False
    ),
}

#: first words of an HTTP request: whoever sends them has tricked a browser into talking to us
HTTP = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH"})


def table() -> str:
    """All commands as text, for review."""
    lines = []
    for verb, command in COMMANDS.items():
        when = (
            "any state"
            if command.allowed == ANY
            else ", ".join(state.name for state in State if state in command.allowed)
        )
        lines.append(
            f"{verb:8}  {when:12}  argument {command.argument.value:8}  "
            f"{'grouped' if command.is_grouped else 'at once':7}  "
            f"{'submission' if command.submission else 'everywhere':10}  "
            f"{'' if command.implemented else '502, '}{command.clause}: {command.syntax}"
        )
    return "\n".join(lines) + "\n"
