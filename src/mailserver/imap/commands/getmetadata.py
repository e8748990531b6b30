"""GETMETADATA: annotations of a mailbox or of the server.

Spec: RFC 5464 §4.2; RFC 9590 §3 (LIST-METADATA, in `list_returns`).  Status: complete.
Client: the grammar of RFC 5464 has the options before the mailbox, its examples behind; both are read.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.imap import metadata, names
from mailserver.imap.parser import Parser
from mailserver.imap.registry import State, announce, command
from mailserver.imap.response import Response, Tagged
from mailserver.imap.session import Session
from mailserver.store.tx import Read

for _name in ("METADATA", "LIST-METADATA"):
    announce(_name, State.ANY)

_DEPTHS = {"0": 0, "1": 1, "INFINITY": None}


@dataclass(frozen=True, slots=True)
class Options:
    """maxsize: octets of a value that is told, None for any.  depth: levels below, None for all."""

    maxsize: int | None = None
    depth: int | None = 0


@dataclass(frozen=True, slots=True)
class GetMetadataArgs:
    """mailbox: "" for the server."""

    mailbox: str
    entries: tuple[str, ...]
    options: Options


def parse(p: Parser) -> GetMetadataArgs:
    """[SP options] SP mailbox [SP options] SP entries (RFC 5464 §5)."""
    options: Options | None = None
    if p.sp().peek(b"("):
        options = _options(p)
        p.sp()
    mailbox = p.mailbox()
    p.sp()
    if options is None and p.peek(b"(") and not p.peek(b"(/") and not p.peek(b'("'):
        options = _options(p)
        p.sp()
    entries = p.group(metadata.entry) if p.peek(b"(") else [metadata.entry(p)]
    return GetMetadataArgs(mailbox, tuple(dict.fromkeys(entries)), options or Options())


def _options(p: Parser) -> Options:
    """ "(" option *(SP option) ")", the last word on each (RFC 5464 §5, getmetadata-options)."""
    maxsize: int | None = None
    depth: int | None = 0

    def option(p: Parser) -> None:
        nonlocal maxsize, depth
        name = p.word()
        if name == "MAXSIZE":
            maxsize = p.sp().number()
        elif name == "DEPTH":
            value = p.sp().word()
            if value not in _DEPTHS:
                raise p.error("expected 0, 1 or infinity")
            depth = _DEPTHS[value]
        else:
            raise p.error(f"unknown option {name}")

    p.group(option)
    return Options(maxsize, depth)


@command("GETMETADATA", state=State.AUTHENTICATED, parse=parse)
def getmetadata(
    session: Session, args: GetMetadataArgs, tx: Read
) -> Generator[Response, None, Tagged]:
    """An entry that was asked for by its name and has no value is NIL.  Raises NotFound, NotAllowed."""
    mailbox = metadata.place(session, tx, args.mailbox)
    depth, most = args.options.depth, args.options.maxsize
    found: dict[str, bytes | None] = {}
    for name in args.entries:
        if depth == 0:
            found[name] = None
        found.update(metadata.values(session, tx, mailbox, name, depth))
    longest = 0
    if most is not None:
        sizes = {name: len(value or b"") for name, value in found.items()}
        longest = max((size for size in sizes.values() if size > most), default=0)
        found = {name: value for name, value in found.items() if sizes[name] <= most}
    if found:
        yield metadata.told(names.encode(args.mailbox, is_utf8=session.is_utf8), found)
    return Tagged(f"METADATA LONGENTRIES {longest}" if longest else "")
