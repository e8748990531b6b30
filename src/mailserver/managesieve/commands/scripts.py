"""HAVESPACE, PUTSCRIPT, CHECKSCRIPT, LISTSCRIPTS, GETSCRIPT, SETACTIVE, DELETESCRIPT, RENAMESCRIPT.

Spec: RFC 5804 §2.5 - §2.12.  Status: complete.
"""

from mailserver.base.errors import PeerError
from mailserver.directory import scripts
from mailserver.managesieve import response
from mailserver.managesieve.registry import Shape, command
from mailserver.managesieve.session import Session
from mailserver.sieve.compiler import compile_script
from mailserver.store.scripts import ACTIVE, check_name
from mailserver.store.tx import Read, Write


@command("HAVESPACE", bytes, int)
def havespace(session: Session, args: tuple[bytes, int], tx: Read) -> bytes:
    """Whether a script of this size could be put (RFC 5804 §2.5).  Raises LimitReached, OverQuota, Cannot."""
    name = _name(args[0])
    check_name(name)
    tx.scripts.check_room(session.owner, name, args[1])
    return response.ok()


@command("PUTSCRIPT", bytes, bytes, shape=Shape.WRITES)
def putscript(session: Session, args: tuple[bytes, bytes], tx: Write) -> bytes:
    """The script is kept if it compiles; an active one is in force at once (RFC 5804 §2.6).  Raises ScriptError."""
    _, warnings = scripts.put(tx, session.owner, _name(args[0]), args[1], session.limits)
    return _told(warnings)


@command("CHECKSCRIPT", bytes)
def checkscript(session: Session, args: tuple[bytes], tx: Read) -> bytes:
    """Whether the script compiles; it is not kept (RFC 5804 §2.12).  Raises ScriptError."""
    program = compile_script(args[0], session.limits, load=scripts.loader(tx, session.owner))
    return _told(program.warnings)


@command("LISTSCRIPTS")
def listscripts(session: Session, args: tuple[()], tx: Read) -> bytes:
    """All scripts, with which of them is active (RFC 5804 §2.7)."""
    lines = [
        response.string(script.name) + (b" ACTIVE" if script.role == ACTIVE else b"") + b"\r\n"
        for script in tx.scripts.list(session.owner)
    ]
    return b"".join(lines) + response.ok()


@command("GETSCRIPT", bytes)
def getscript(session: Session, args: tuple[bytes], tx: Read) -> bytes:
    """The script (RFC 5804 §2.9).  Raises NotFound."""
    content = tx.scripts.content(tx.scripts.find(session.owner, _name(args[0])).id)
    return b"{%d}\r\n%b\r\n" % (len(content), content) + response.ok()


@command("SETACTIVE", bytes, shape=Shape.WRITES)
def setactive(session: Session, args: tuple[bytes], tx: Write) -> bytes:
    """This script is active and no other; with "" none is (RFC 5804 §2.8).  Raises NotFound."""
    if args[0]:
        tx.scripts.activate(session.owner, _name(args[0]))
    else:
        tx.scripts.deactivate(session.owner)
    return response.ok()


@command("DELETESCRIPT", bytes, shape=Shape.WRITES)
def deletescript(session: Session, args: tuple[bytes], tx: Write) -> bytes:
    """The script is gone (RFC 5804 §2.10).  Raises NotFound, InUse."""
    tx.scripts.remove(session.owner, _name(args[0]))
    return response.ok()


@command("RENAMESCRIPT", bytes, bytes, shape=Shape.WRITES)
def renamescript(session: Session, args: tuple[bytes, bytes], tx: Write) -> bytes:
    """Another name; an active one stays active (RFC 5804 §2.11.1).  Raises NotFound, AlreadyExists, Cannot."""
    tx.scripts.rename(session.owner, _name(args[0]), _name(args[1]))
    return response.ok()


def _name(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise PeerError("a name must be UTF-8") from None


def _told(warnings: tuple[str, ...]) -> bytes:
    if warnings:
        return response.ok("\r\n".join(warnings), b"WARNINGS")
    return response.ok()
