"""Modifiers of FETCH: only what changed since, also what vanished since, only some of many.

Spec: RFC 4466 §2.4; RFC 7162 §3.1.4.1 (CHANGEDSINCE), §3.2.6 (VANISHED); RFC 9394 §3.3 (PARTIAL).  Status: complete.
"""

from dataclasses import dataclass

from mailserver.base.ids import ModSeq
from mailserver.imap.parser import Parser
from mailserver.imap.partial import Partial, parse_partial
from mailserver.imap.registry import State, announce

announce("PARTIAL", State.ANY)


@dataclass(frozen=True, slots=True)
class Modifiers:
    """changed_since: None for all messages.      vanished: what left since then is wanted, too."""

    changed_since: ModSeq | None = None
    vanished: bool = False
    partial: Partial | None = None


def parse_modifiers(p: Parser) -> Modifiers:
    """[SP "(" fetch-modifier... ")"] at the end of the command (RFC 4466 §6)."""
    if not p.accept(b" "):
        return Modifiers()
    since: ModSeq | None = None
    vanished, some = False, None
    seen: set[str] = set()
    p.open()
    while True:
        name = p.word()
        if name in seen:
            raise p.error(f"{name} twice")
        seen.add(name)
        if name == "CHANGEDSINCE":
            since = ModSeq(p.sp().number64())
        elif name == "VANISHED" and p.is_uid:
            vanished = True
        elif name == "PARTIAL" and p.is_uid:
            some = parse_partial(p.sp())
        else:
            raise p.error(f"unknown modifier {name}")
        if not p.accept(b" "):
            break
    p.close()
    if vanished and since is None:
        raise p.error("VANISHED needs CHANGEDSINCE")
    return Modifiers(since, vanished, some)
