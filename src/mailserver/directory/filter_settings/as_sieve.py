"""Settings as a Sieve script: each a mark that says what was set, and the commands that do it.

Spec: RFC 5228 §2.4.2; RFC 3894 §3; RFC 5230 §4; RFC 5260 §5; RFC 6134 §2.2; RFC 8579 §4.  Status: complete.

A mark is a comment: a word and JSON.  The commands follow from the marks alone, so that whoever reads the script back
(`reading`) sees whether they are still the ones that were written.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TypeAlias

from mailserver.directory.filter_settings.model import (
    AutoReply,
    Block,
    Condition,
    Forward,
    Rule,
    Settings,
)

Part: TypeAlias = Block | AutoReply | Forward | Rule

HEAD = (
    "# mailserver settings 1\r\n"
    "# Made from the settings of the account; the lines that begin with # say what was set.  Change the settings,\r\n"
    "# not this text: once it is edited it runs as it stands, and the settings no longer change it.\r\n"
)
#: settings that came later are said only where they are set, so that the scripts made before stay what they are
_LATER = {"only_contacts": False}
_ALLOW, _BLOCK = "tag:mailserver,2026:allow", "tag:mailserver,2026:block"
_CONTACTS = ":addrbook:default"
_MAILBOXES = {"junk": ("\\Junk", "Junk"), "trash": ("\\Trash", "Trash")}


def write(settings: Settings) -> str:
    """The script that does what *settings* say; it ends lines with CRLF.  Nothing set: only the head."""
    needed: set[str] = set()
    first = (settings.block, settings.auto_reply, settings.forward)
    parts = [part(one, needed) for one in (*first, *settings.rules) if one is not None]
    wanted = f"require {_strings(sorted(needed))};\r\n" if needed else ""
    return "".join([HEAD, wanted, *parts])


def part(value: Part, needed: set[str]) -> str:
    """The paragraph of one of the settings: an empty line, its mark, its commands; *needed* gets what they require."""
    match value:
        case Block():
            word, commands = "block", _block(value, needed)
        case AutoReply():
            word, commands = "auto-reply", _reply(value, needed) if value.is_on else ""
        case Forward():
            word, commands = "forward", _forward(value, needed)
        case Rule():
            word, commands = "rule", _rule(value, needed) if value.is_on else ""
    said = {name: v for name, v in asdict(value).items() if _LATER.get(name) is not v}
    return f"\r\n# {word} {json.dumps(said)}\r\n{commands}"  # the mark is ASCII, and one line


def _block(block: Block, needed: set[str]) -> str:
    needed |= {"extlists", "envelope"}
    if block.to in _MAILBOXES:
        needed |= {"fileinto", "special-use", "mailbox"}
        use, name = _MAILBOXES[block.to]
        act = f"fileinto :specialuse {_string(use)} :create {_string(name)};"
    elif block.to == "reject":
        needed.add("reject")
        act = 'reject "The recipient does not want mail from this sender.";'
    else:
        act = "discard;"
    return (
        f"if allof (not address :list {_string('from')} {_string(_ALLOW)},\r\n"
        f"          anyof (address :list {_string('from')} {_string(_BLOCK)},\r\n"
        f"                 envelope :list {_string('from')} {_string(_BLOCK)})) {{\r\n"
        f"    {act}\r\n    stop;\r\n}}\r\n"
    )


def _reply(reply: AutoReply, needed: set[str]) -> str:
    needed.add("vacation")
    subject = f" :subject {_string(reply.subject)}" if reply.subject else ""
    aliases = f" :addresses {_strings(reply.aliases)}" if reply.aliases else ""
    answer = f"vacation :days {reply.days}{subject}{aliases} {_string(reply.text)};"
    tests = [
        f'currentdate :value "{relation}" "date" {_string(day)}'
        for relation, day in (("ge", reply.first), ("le", reply.last))
        if day
    ]
    if tests:
        needed |= {"date", "relational"}
    if reply.only_contacts:  # the answer goes to the envelope's sender, whoever From names
        needed |= {"extlists", "envelope"}
        tests.append(f"envelope :list {_string('from')} {_string(_CONTACTS)}")
    if not tests:
        return answer + "\r\n"
    return f"if allof ({', '.join(tests)}) {{\r\n    {answer}\r\n}}\r\n"


def _forward(forward: Forward, needed: set[str]) -> str:
    if forward.keeps_copy:
        needed.add("copy")
        return "".join(f"redirect :copy {_string(to)};\r\n" for to in forward.to)
    return "".join(f"redirect {_string(to)};\r\n" for to in forward.to) + "stop;\r\n"


def _rule(rule: Rule, needed: set[str]) -> str:
    tests = ",\r\n          ".join(map(_test, rule.conditions))
    acts = []
    if rule.flags:
        needed.add("imap4flags")
        acts.append(f"addflag {_strings(rule.flags)};")
    if rule.mailbox:
        needed |= {"fileinto", "mailbox"}
        acts.append(f"fileinto :create {_string(rule.mailbox)};")
    if rule.stops:
        acts.append("stop;")
    block = "".join(f"    {act}\r\n" for act in acts)
    return f"if {'anyof' if rule.is_any else 'allof'} ({tests}) {{\r\n{block}}}\r\n"


def _test(condition: Condition) -> str:
    value = _string(condition.value)
    names = '["to", "cc"]' if condition.field == "to" else _string(condition.field)
    if condition.match == "contains":
        return f"header :contains {names} {value}"
    if condition.field in ("from", "to"):
        return f"address :is {names} {value}"
    if condition.field == "list-id":  # with or without a name before it (RFC 2919 §3)
        return f"header :contains {names} {_string(f'<{condition.value}>')}"
    return f"header :is {names} {value}"


def _string(text: str) -> str:
    """A quoted string; without `variables` and `encoded-character`, nothing in it means anything else."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\r\n", "\n").replace("\n", "\r\n") + '"'


def _strings(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_string, texts))}]"
