"""Parts without their transfer encoding, and the items that are no sections: the same as Dovecot tells.

RFC 3516 §4.2, §4.3; RFC 3501 §6.4.5, §7.4.2; RFC 8514 §4.2.  Where the two differ and the RFC is on our side, the
difference stands in `reason` with its clause.
"""

from __future__ import annotations

import random  # noqa: TID251 - seeded, so that the ranges are the same each time
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from outside import torture
from outside.corpus import Sample
from outside.debian import Debian
from outside.likeness import Difference, Told, children, fill, folded, is_leaf, report
from outside.server import Account, Server
from outside.wire import Gone, Imap, pairs, parse

PARTS = 20  # of one message that are compared
BATCH = 40  # messages fetched at once
DECODED = ("BINARY.SIZE[{}]", "BINARY.PEEK[{}]", "BINARY.PEEK[{}]<2.9>", "BINARY.PEEK[{}]<99999.5>")
IDENTITIES = (b"7bit", b"8bit", b"binary", b"")
OTHERS = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE SAVEDATE)",
    "(RFC822.HEADER RFC822.TEXT RFC822 FLAGS)",  # and it is seen then
    "FAST",
    "ALL",
    "FULL",
)
LITERAL8 = re.compile(rb"(?<=[\]>]) ~\{(?=\d+\}\r\n)")


Both = tuple["Reader", "Reader"]


def leaves(structure: object, prefix: str = "") -> Iterator[tuple[str, list[object]]]:
    """Part number and structure of everything that is no multipart."""
    assert isinstance(structure, list)
    parts = children(structure) if isinstance(structure[0], list) else [structure]
    for n, part in enumerate(parts, 1):
        assert isinstance(part, list)
        if isinstance(part[0], list):
            yield from leaves(part, f"{prefix}{n}.")
        else:
            yield f"{prefix}{n}", part
            if is_leaf(part, b"message", b"rfc822"):
                yield from leaves(part[8], f"{prefix}{n}.")


@dataclass
class Reader:
    """One server's copy of the mail."""

    server: Server
    account: Account
    imap: Imap

    def ask(self, numbers: str, items: str) -> dict[int, Told] | bytes:
        """What is said of messages by number; NO with its response code; b"" if the server breaks down over it."""
        try:
            reply = self.imap.do(f"FETCH {numbers} {items}")
        except Gone:
            self.imap = Imap(self.server, self.account, timeout_s=120)
            self.imap.select("INBOX")
            return b""
        if reply.status != b"OK":
            return reply.status + b" " + reply.text.partition(b" ")[0]
        told: dict[int, Told] = {}
        for line in reply.untagged:
            if match := re.match(rb"(\d+) FETCH ", line):
                values = pairs(parse(LITERAL8.sub(b" {", line[match.end() :]))[0])
                told.setdefault(int(match[1]), {}).update(values)
        return told

    def value(self, number: int, item: str) -> object:
        """Of one item of one message; else what `ask` says."""
        told = self.ask(str(number), f"({item})")
        if not isinstance(told, dict):
            return told
        ((name, value),) = told[number].items()
        return (name, value)


def compare_parts(ours: Reader, theirs: Reader, samples: list[Sample]) -> Iterator[Difference]:
    """What differs, without a reason, of the decoded parts of messages that both take apart alike."""
    for number, sample in enumerate(samples, 1):
        one, two = (reader.ask(str(number), "(BODYSTRUCTURE)") for reader in (ours, theirs))
        assert isinstance(one, dict)
        assert isinstance(two, dict)
        structure = one[number][b"BODYSTRUCTURE"]
        if folded(structure) != folded(two[number][b"BODYSTRUCTURE"]):
            continue  # part numbers mean different things; compared elsewhere
        for part, kind in list(leaves(structure))[:PARTS]:
            for form in DECODED:
                item = form.format(part)
                mine, yours = ours.value(number, item), theirs.value(number, item)
                if mine != yours and not reason(theirs, number, part, kind, mine, yours):
                    yield Difference(sample.origin, item.encode(), mine, yours, sample.raw)


def reason(
    theirs: Reader, number: int, part: str, kind: list[object], mine: object, yours: object
) -> str:
    """Why this difference is justified, or ""."""
    if isinstance(mine, bytes):
        return ""
    if yours == b"":
        return "Dovecot's process ends; ours does not"
    if yours == b"NO [PARSE]":
        return (
            "damage: what can be decoded is told (RFC 2045 §6.7, §6.8 let rubbish be passed over)"
        )
    assert isinstance(mine, tuple)
    if mine[0].startswith(b"BINARY.SIZE"):
        decoded = theirs.value(number, f"BINARY.PEEK[{part}]")
        if isinstance(decoded, tuple) and mine[1] == b"%d" % len(decoded[1]):
            return "RFC 3516 §4.2: the size is that of the octets that Dovecot itself decodes"
    if bytes(kind[5] or b"").lower() in IDENTITIES:
        _, stored = theirs.value(number, f"BODY.PEEK[{part}]")  # type: ignore[misc]
        whole = {
            b"BINARY.SIZE[%b]" % part.encode(): b"%d" % len(stored or b""),
            b"BINARY[%b]" % part.encode(): stored,
            b"BINARY[%b]<2>" % part.encode(): (stored or b"")[2:11],
            b"BINARY[%b]<99999>" % part.encode(): (stored or b"")[99999:100004],
        }
        if whole[mine[0]] == mine[1]:
            return "RFC 3516 §4.2: the part's own encoding is undone; here there is none, so it is as BODY gives it"
    return ""


def ranges(dice: random.Random, size: int) -> Iterator[str]:
    """Substrings, most of them about the ends."""
    for _ in range(3):
        offset = dice.choice(
            (0, 1, size // 2, max(size - 1, 0), size, size + 1, dice.randrange(size + 2))
        )
        yield f"<{offset}.{dice.choice((1, 2, 77, size + 1, 4_294_967_295))}>"


@pytest.fixture(scope="module", params=["made", "trees", "real"])
def chosen(
    request: pytest.FixtureRequest, samples: list[Sample], full: Callable[[int, int], int]
) -> list[Sample]:
    """Mail to compare by; Dovecot does not keep a lone CR."""
    made = {
        "made": torture.by_hand,
        "trees": lambda: list(torture.random_trees(full(100, 1500), 5)),
        "real": lambda: samples[:: full(5, 1)],
    }[request.param]()
    return [sample for sample in made if b"\r" not in sample.raw.replace(b"\r\n", b"")]


@pytest.fixture(scope="module")
def both(server: Server, dovecot: Debian, chosen: list[Sample]) -> Both:
    one, two = server.account(), dovecot.account()
    return (
        Reader(server, one, fill(server, one, chosen)),
        Reader(dovecot, two, fill(dovecot, two, chosen)),
    )


@pytest.mark.rfc(3516, "4.2", "4.3")
@pytest.mark.needs("dovecot", "dovecot-imap")
def test_parts_without_their_encoding(both: Both, chosen: list[Sample]) -> None:
    found = list(compare_parts(*both, chosen))
    assert not found, report(found)


@pytest.mark.rfc(3501, "6.4.5", "7.4.2")
@pytest.mark.needs("dovecot", "dovecot-imap")
def test_substrings(both: Both, chosen: list[Sample]) -> None:
    """BODY[...]<offset.length> of texts, fields and parts: the same octets, and the same first one named.

    Each in a command of its own: after one substring of a header, Dovecot takes the next an octet off, or breaks down.
    """
    ours, theirs = both
    dice = random.Random(11)
    found = []
    for number, sample in enumerate(chosen, 1):
        header, _, _ = sample.raw.partition(b"\r\n\r\n")
        for section, size in (
            ("", len(sample.raw)),
            ("TEXT", len(sample.raw) - len(header)),
            ("HEADER", len(header)),
            ("1", len(sample.raw) - len(header)),
        ):
            for span in ranges(dice, size):
                item = f"BODY.PEEK[{section}]{span}"
                mine, yours = ours.value(number, item), theirs.value(number, item)
                if mine != yours and not is_cut(ours, number, section, span, mine):
                    found.append(Difference(sample.origin, item.encode(), mine, yours, sample.raw))
    assert not found, report(found)


def is_cut(reader: Reader, number: int, section: str, span: str, said: object) -> bool:
    """Whether *said* is that substring of what the same reader gets as a whole, which is compared elsewhere."""
    offset, length = map(int, span.strip("<>").split("."))
    _, whole = reader.value(number, f"BODY.PEEK[{section}]")  # type: ignore[misc]
    named = b"BODY[%b]<%d>" % (section.encode(), offset)
    return said == (named, whole and whole[offset : offset + length])


@pytest.mark.rfc(3501, "6.4.5", "7.4.2")
@pytest.mark.needs("dovecot", "dovecot-imap")
@pytest.mark.parametrize("items", OTHERS)
def test_items_that_are_no_sections(both: Both, chosen: list[Sample], items: str) -> None:
    """The same items in the answers, with the same values; flags in any order."""
    ours, theirs = both
    found = []
    for start in range(1, len(chosen) + 1, BATCH):
        numbers = f"{start}:{min(start + BATCH - 1, len(chosen))}"
        mine, yours = (reader.ask(numbers, items) for reader in (ours, theirs))
        assert isinstance(mine, dict)
        assert isinstance(yours, dict)
        assert mine.keys() == yours.keys()
        for number, told in mine.items():
            sample = chosen[number - 1]
            assert told.keys() == yours[number].keys(), sample.origin
            found += [
                Difference(sample.origin, item, value, yours[number][item], sample.raw)
                for item, value in told.items()
                if plain(item, value) != plain(item, yours[number][item])
            ]
    assert not found, report(found)


def plain(item: bytes, value: object) -> object:
    """What must be the same; structures and envelopes are compared elsewhere, and a moment is one in any zone."""
    if item == b"FLAGS":
        assert isinstance(value, list)
        return {bytes(flag).lower() for flag in value} - {b"\\recent"}
    if item in (b"INTERNALDATE", b"SAVEDATE"):
        assert isinstance(value, bytes)
        moment = datetime.strptime(value.decode().strip(), "%d-%b-%Y %H:%M:%S %z")
        return moment if item == b"INTERNALDATE" else type(moment)
    return None if item in (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE") else value
