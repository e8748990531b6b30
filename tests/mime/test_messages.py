"""The golden messages: what clients are told about each of tests/messages/*.eml stands beside it in a .txt."""

import re
from pathlib import Path

import pytest

from mailserver.mime.layout import Part, unpack
from mailserver.mime.scan import derive

FOLDER = Path(__file__).parents[1] / "messages"
MESSAGES = sorted(FOLDER.glob("*.eml"))


def describe(raw: bytes) -> str:
    derived = derive(raw)
    lines = [
        f"header {derived.header_size} of {len(raw)} octets, {derived.hops} hops",
        f"sent {derived.sent_at}, day {derived.sent_day}",
        f"subject {derived.subject!r}, base {derived.base_subject!r}",
        f"from {derived.sort_from!r}, to {derived.sort_to!r}, cc {derived.sort_cc!r}",
        f"message-id {derived.message_id!r}, {len(derived.thread_keys)} thread keys",
        "",
        "ENVELOPE",
        readable(derived.envelope),
        "BODY",
        readable(derived.body),
        "BODYSTRUCTURE",
        readable(derived.bodystructure),
        "parts",
    ]
    for number, part in numbered(unpack(derived.layout)):
        facts = f"{part.encoding} {part.charset} {part.disposition} {part.filename!r}"
        body = raw[part.body_start : part.end]
        shown = repr(body) if len(body) <= 60 else f"{body[:28]!r}...{body[-28:]!r}"
        lines.append(
            f"{number:10} {part.type}/{part.subtype} {part.header_start}-{part.body_start}-{part.end}"
            f" {part.lines} lines {facts}\n{'':10} {shown}"
        )
    return "\n".join(lines) + "\n"


def readable(wire: bytes) -> str:
    return re.sub(r"(?<=[)\]]) ?(?=\()", "\n ", repr(wire)[2:-1])


def numbered(root: Part) -> list[tuple[str, Part]]:
    """Every part with its number in BODY[...]; an embedded message's root has its part's number and a slash."""
    found: list[tuple[str, Part]] = []
    todo = [("", root)]
    while todo:
        number, part = todo.pop()
        found.append((number or "/", part))
        base = number.removesuffix("/")
        if part.message is not None:
            todo.append(((base or "1") + "/", part.message))
        for i, child in reversed(list(enumerate(part.children, 1))):
            todo.append((f"{base}.{i}".lstrip("."), child))
    return found


@pytest.mark.rfc(3501, "6.4.5", "7.4.2")
@pytest.mark.rfc(2046, "5.1.1", "5.1.2", "5.1.5", "5.2.1")
@pytest.mark.rfc(2045, "5.2", "6.1")
@pytest.mark.rfc(1864, "2")
@pytest.mark.rfc(2557, "4.2")
@pytest.mark.rfc(3282, "2")
@pytest.mark.rfc(6532, "3.2", "3.7")
@pytest.mark.rfc(7103, "7.1", "7.2", "7.3", "7.4", "7.5", "7.7")
@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_message(path, golden):
    golden(f"../messages/{path.stem}.txt", describe(path.read_bytes()))


def test_every_expectation_has_its_message():
    assert {p.stem for p in FOLDER.glob("*.txt")} == {p.stem for p in MESSAGES}
