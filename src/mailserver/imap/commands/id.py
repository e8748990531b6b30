"""ID: who is talking to whom, for the logs of both.

Spec: RFC 2971 §3.  Status: complete.
"""

from mailserver.imap import response, wire
from mailserver.imap.conversation import Conversation, Send
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, conversation
from mailserver.imap.session import Session

_PAIRS = 30  # RFC 2971 §3.3
_NAME_SIZE = 30
_VALUE_SIZE = 1_024
_LOGGED = ("name", "version", "vendor", "os", "os-version")


def parse(p: Parser) -> dict[str, str]:
    """SP id-params-list; names in lower case, pairs without a value left out (RFC 2971 §4)."""
    p.sp()
    if p.accept(b"NIL"):
        return {}
    left = _PAIRS

    def pair(p: Parser) -> tuple[str, str | None]:
        nonlocal left
        left -= 1
        if left < 0:
            raise p.error(f"more than {_PAIRS} pairs")
        return _pair(p)

    pairs = p.group(pair, empty=True)
    return {name: value for name, value in pairs if value is not None}


def _pair(p: Parser) -> tuple[str, str | None]:
    name, value = p.string(), p.sp().nstring()
    if len(name) > _NAME_SIZE or len(value or b"") > _VALUE_SIZE:
        raise p.error("name or value too long")
    return (
        name.decode("utf-8", "replace").lower(),
        None if value is None else value.decode("utf-8", "replace"),
    )


@conversation("ID", state=State.ANY, parse=parse, capability="ID")
def identify(session: Session, args: dict[str, str]) -> Conversation:
    """Our name; the version only to those who have logged in, as it helps nobody else (RFC 2971 §7)."""
    if said := {name.replace("-", "_"): args[name] for name in _LOGGED if name in args}:
        session.log.info("imap client", **said)
    pairs = [b"name", b"mailserver"]
    if session.state is not State.NOT_AUTHENTICATED:
        pairs += [b"version", session.server.version.encode("ascii")]
    yield Send([response.line(b"ID (%b)" % b" ".join(map(wire.string, pairs)))])
    return None
