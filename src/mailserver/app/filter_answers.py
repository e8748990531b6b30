"""The settings of a user's filters for people and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from mailserver.directory.filter_settings.model import AutoReply, Rule, Settings

_BLOCKED = {
    "junk": "go into Junk",
    "trash": "go into Trash",
    "discard": "are thrown away",
    "reject": "are refused",
}


def as_object(settings: Settings) -> dict[str, Any]:
    """What --json says; null for what is not set."""
    return asdict(settings)


def lines(settings: Settings) -> Iterator[str]:
    """One line for each thing that is set, in the order in which mail meets them."""
    if settings == Settings():
        yield "nothing is set"
    if settings.block is not None:
        yield f"block       messages of blocked senders {_BLOCKED[settings.block.to]}"
    if settings.auto_reply is not None:
        yield f"auto-reply  {_reply(settings.auto_reply)}"
    if settings.forward is not None:
        kept = "" if settings.forward.keeps_copy else ", no copy is kept"
        yield f"forward     to {', '.join(settings.forward.to)}{kept}"
    yield from (f"rule        {line}" for line in rule_lines(settings.rules))


def rule_lines(rules: Sequence[Rule]) -> Iterator[str]:
    """One line for each rule."""
    for rule in rules:
        joint = " or " if rule.is_any else " and "
        tests = joint.join(f'{c.field} {c.match} "{c.value}"' for c in rule.conditions)
        acts = [f'into "{rule.mailbox}"'] if rule.mailbox else []
        acts += [f"with {' '.join(rule.flags)}"] if rule.flags else []
        acts += [] if rule.stops else ["goes on"]
        acts += [] if rule.is_on else ["(off)"]
        yield f"{rule.name}: {tests} -> {', '.join(acts)}"


def _reply(reply: AutoReply) -> str:
    if not reply.is_on:
        return "off"
    days = f"from {reply.first} " if reply.first else ""
    days += f"until {reply.last} " if reply.last else ""
    text = " ".join(reply.text.split())
    whom = "contact" if reply.only_contacts else "sender"
    shown = f"{text[:60]}{'...' if text[60:] else ''}"
    return f"{days}once in {reply.days} days to each {whom}: {shown}"
