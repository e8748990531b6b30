"""The SMTP commands as a table: when each is allowed, what it may carry, whether its answer may wait in a group.

Spec: RFC 5321 §4.1.1, §4.1.4, §4.5.1; RFC 2920 §3.1; RFC 3207 §4; RFC 4954 §4; RFC 3030 §2; RFC 2033 §4.
Status: complete.
"""

from dataclasses import dataclass
from enum import Enum

from mailserver.smtp import replies
from mailserver.smtp.reply import Reply
from mailserver.smtp.service import Kind


class State(Enum):
    """How far the client has come."""

    NEW = "no EHLO or HELO yet"
    READY = "greeted, no transaction"
    MAIL = "sender given"
    RCPT = "at least one recipient accepted"
    BDAT = "content has begun in chunks"


class Argument(Enum):
    """Whether something follows the verb."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


# tuples: for a few members they are faster than sets, and each command looks
ANY = tuple(State)
EVERYWHERE = tuple(Kind)
SMTP = (Kind.MX, Kind.SUBMISSION)


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    out_of_order: the text of the 503 in states where it is not allowed.
    is_grouped:   its answer may wait for those of the commands that follow (RFC 2920 §3.2).
    kinds:        the listeners that know it.
    implemented:  False: known, and answered with 502 (RFC 5321 §4.2.4).
    """

    syntax: str
    allowed: tuple[State, ...]
    argument: Argument
    clause: str
    out_of_order: str = ""
    is_grouped: bool = False
    kinds: tuple[Kind, ...] = EVERYWHERE
    implemented: bool = True


COMMANDS: dict[str, Command] = {
    "EHLO": Command("EHLO domain", ANY, Argument.REQUIRED, "RFC 5321 §4.1.1.1", kinds=SMTP),
    "HELO": Command("HELO domain", ANY, Argument.REQUIRED, "RFC 5321 §4.1.1.1", kinds=SMTP),
    "LHLO": Command("LHLO domain", ANY, Argument.REQUIRED, "RFC 2033 §4.1", kinds=(Kind.LMTP,)),
    "MAIL": Command(
        "MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8] [RET=FULL|HDRS] [ENVID=text]"
        " [REQUIRETLS] [HOLDFOR=seconds|HOLDUNTIL=time]",
        (State.READY,),
        Argument.REQUIRED,
        "RFC 5321 §4.1.1.2",
        "A transaction is open already: finish it with DATA or RSET",
        is_grouped=True,
    ),
    "RCPT": Command(
        "RCPT TO:<address> [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=type;address]",
        (State.MAIL, State.RCPT),
        Argument.REQUIRED,
        "RFC 5321 §4.1.1.3",
        "MAIL comes before RCPT",
        is_grouped=True,
    ),
    "DATA": Command(
        "DATA",
        (State.RCPT,),
        Argument.NONE,
        "RFC 5321 §4.1.1.4",
        "MAIL and RCPT come before DATA",
    ),
    "BDAT": Command(
        "BDAT octets [LAST]",
        (State.RCPT, State.BDAT),
        Argument.REQUIRED,
        "RFC 3030 §2",
        "MAIL and RCPT come before BDAT",
        is_grouped=True,
    ),
    "RSET": Command("RSET", ANY, Argument.NONE, "RFC 5321 §4.1.1.5", is_grouped=True),
    "VRFY": Command("VRFY address [SMTPUTF8]", ANY, Argument.REQUIRED, "RFC 5321 §4.1.1.6"),
    "HELP": Command("HELP [command]", ANY, Argument.OPTIONAL, "RFC 5321 §4.1.1.8"),
    "NOOP": Command("NOOP [anything]", ANY, Argument.OPTIONAL, "RFC 5321 §4.1.1.9"),
    "QUIT": Command("QUIT", ANY, Argument.NONE, "RFC 5321 §4.1.1.10"),
    "STARTTLS": Command("STARTTLS", ANY, Argument.NONE, "RFC 3207 §4"),
    "AUTH": Command(
        "AUTH mechanism [initial-response]",
        (State.READY,),
        Argument.REQUIRED,
        "RFC 4954 §4",
        "AUTH is not allowed during a transaction",
        kinds=(Kind.SUBMISSION,),
    ),
    "EXPN": Command("EXPN list", ANY, Argument.OPTIONAL, "RFC 5321 §4.1.1.7", implemented=False),
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

#: why a command that belongs elsewhere is refused once BDAT has begun
IN_CHUNKS = "The content comes in chunks: go on with BDAT, or forget it with RSET"

#: first words of an HTTP request: whoever sends them has tricked a browser into talking to us
HTTP = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH"})


def misplaced(command: Command, rest: str, state: State, kind: Kind) -> Reply | None:
    """Why *command* cannot be heard now, whatever its argument *rest* says; None if it can."""
    if kind not in command.kinds:
        return _elsewhere(command, kind)
    if not command.implemented:
        return replies.NOT_IMPLEMENTED
    if state not in command.allowed:
        if state is State.NEW:
            return replies.LHLO_FIRST if kind is Kind.LMTP else replies.EHLO_FIRST
        return replies.out_of_order(IN_CHUNKS if state is State.BDAT else command.out_of_order)
    if command.argument is Argument.NONE and rest:
        return replies.NO_ARGUMENT_ALLOWED
    if command.argument is Argument.REQUIRED and not rest:
        return (
            replies.BAD_HELLO
            if command.syntax.endswith(" domain")
            else Reply(501, "5.5.4", f"Syntax: {command.syntax}")
        )
    return None


def _elsewhere(command: Command, kind: Kind) -> Reply:
    """The refusal of a command that only other listeners know (RFC 2033 §4.1)."""
    if Kind.LMTP in command.kinds:
        return replies.UNKNOWN_COMMAND
    return replies.SAY_LHLO if command.kinds == SMTP else replies.NO_AUTH_HERE


def _kinds(command: Command) -> str:
    if command.kinds == EVERYWHERE:
        return "everywhere"
    return ", ".join(kind.name for kind in Kind if kind in command.kinds)


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
            f"{_kinds(command):14}  "
            f"{'' if command.implemented else '502, '}{command.clause}: {command.syntax}"
        )
    return "\n".join(lines) + "\n"
