"""The same messages in Dovecot and in our server: every word that IMAP says about them is compared.

Where the two differ and the RFC is on our side, the difference stands in KNOWN with its clause.
"""

import email
import random  # noqa: TID251 - seeded, so that the queries are the same each time
import re
from collections.abc import Callable, Iterator

import pytest

from outside import torture
from outside.corpus import Sample
from outside.debian import Debian
from outside.likeness import Difference, Told, children, fill, folded, is_leaf, report
from outside.server import Account, Server
from outside.wire import Imap

#: (message, item) where our reading of a damaged message is the better one, and why
KNOWN: tuple[tuple[str, bytes, str], ...] = (
    (
        "made: addresses",
        b"ENVELOPE",
        "RFC 5322 §4.4: an obs-addr-list may have empty members, they are no addresses",
    ),
    ("made: broken addresses", b"ENVELOPE", "damage: what can be read of each address is kept"),
    (
        "made: spaces in addresses",
        b"ENVELOPE",
        "RFC 5322 §4.4: obs-local-part and obs-domain have CFWS around the dots",
    ),
    ("simple_35.txt", b"ENVELOPE", "damage: a backslash in a local part is kept"),
    ("cant_write_error", b"ENVELOPE", "damage: the address in angle brackets is the address"),
    (
        "mail_test_15",
        b"ENVELOPE",
        "damage: the address in angle brackets is the address, the one before it is a name",
    ),
    (
        "mail_test_19",
        b"ENVELOPE",
        "damage: the address in angle brackets is the address, the one before it is a name",
    ),
    (
        "salmon_mail/tests/data/spam#4",
        b"ENVELOPE",
        "damage: rubbish after the address does not spoil it",
    ),
    (
        "salmon_mail/tests/data/spam#5",
        b"ENVELOPE",
        "damage: rubbish after the address does not spoil it",
    ),
    (
        "made: unquoted slash",
        b"BODY",
        "RFC 2045 §5.1: the slash should have been quoted; the name goes on after it",
    ),
    (
        "salmon_mail/tests/data/spam#3",
        b"BODY",
        "damage: an empty parameter does not hide those after it",
    ),
    (
        "salmon_mail/tests/data/spam#11",
        b"BODY",
        "RFC 2045 §5.1: an unquoted boundary with = in it is still the boundary",
    ),
    (
        "cpython/msg_14.txt",
        b"BODY",
        "RFC 2045 §5.2: a Content-Type that cannot be read means text/plain",
    ),
    ("msg_33.txt", b"BODY", "RFC 2231 §4: boundary* is the boundary"),
    ("deeply_nested.txt", b"BODY", "both cut the nesting off, Dovecot one level earlier"),
    (
        "msg_38.txt",
        b"BODY",
        "RFC 2046 §5.1.2: a delimiter of an outer multipart ends the inner; the part before it has text",
    ),
)


def reason(difference: Difference) -> str:
    """Why this difference is justified, or ""."""
    for origin, item, why in KNOWN:
        if origin in difference.origin and difference.item.startswith(item):
            return why
    if difference.item in (b"BODY", b"BODYSTRUCTURE"):
        return "; ".join(dict.fromkeys(structure_reasons(difference.ours, difference.theirs)))
    return section_reason(difference)


def structure_reasons(one: object, two: object) -> Iterator[str]:
    """A reason for each place where two structures differ; "" in it for one without."""
    if folded(one) == folded(two):
        return
    if not (isinstance(one, list) and isinstance(two, list) and one and two):
        yield "UNKNOWN"
    elif is_leaf(one, b"text", b"plain") and not isinstance(two[0], list) and b"" in two[:2]:
        yield "RFC 2045 §5.2: a Content-Type that cannot be read means text/plain"
    elif (
        is_leaf(one, b"text", b"plain")
        and isinstance(two[0], list)
        and not isinstance(two[1], list)
    ):
        yield "RFC 3501 §9 body-type-mpart: a multipart without a part in it cannot be said; it is text"
    elif is_leaf(one, b"message", b"rfc822") and is_leaf(two, b"message", b"rfc822"):
        octets = int(two[6]) - int(one[6])
        if octets == 2 and folded(one[:6] + one[7:8]) == folded(two[:6] + two[7:8]):
            yield "RFC 2046 §5.1.1: the CRLF before a delimiter is the delimiter's, also after a header without a body"
        else:
            yield from structure_reasons(one[8], two[8])
            if folded(one[:8] + one[9:]) != folded(two[:8] + two[9:]):
                yield "UNKNOWN"
    elif isinstance(one[0], list) and isinstance(two[0], list):
        mine, yours = children(one), children(two)
        if (
            len(mine) == len(yours) + 1
            and is_empty_text(mine[-1])
            and folded(mine[:-1]) == folded(yours)
        ):
            yield "RFC 2046 §5.1.1: after a delimiter there is a part, even if the message ends there"
        elif len(mine) != len(yours) or folded(one[len(mine) :]) != folded(two[len(yours) :]):
            yield "UNKNOWN"
        else:
            for a, b in zip(mine, yours, strict=True):
                yield from structure_reasons(a, b)
    elif parameters(one).keys() - {b"charset"} == parameters(two).keys() - {
        b"charset"
    } and b"charset*" in parameters(one):
        yield "RFC 2231 §4: charset* says the charset, there is no default beside it"
    elif (
        parameters(two).get(b"charset") == b"us-ascii"
        and folded(one[8:]) != folded(two[8:])
        and one[:8] == two[:8]
    ):
        yield "RFC 2045 §4: MIME fields are believed without MIME-Version, all of them"
    else:
        yield "UNKNOWN"


def section_reason(difference: Difference) -> str:
    ours, theirs = difference.ours, difference.theirs
    if not (isinstance(ours, bytes | None) and isinstance(theirs, bytes)):
        return ""
    if theirs == (ours or b"") + b"\r\n" and re.fullmatch(rb"BODY\[[\d.]+\]", difference.item):
        return "RFC 2046 §5.1.1: the CRLF before a delimiter is the delimiter's, also after an inner multipart"
    if b"HEADER.FIELDS" in difference.item:
        if b"\r\n\r\n" not in difference.raw:
            return "RFC 3501 §6.4.5: no empty line is added for a message which has no body and no empty line"
        head = difference.raw.partition(b"\r\n\r\n")[0]
        if (
            any(not re.match(rb"[!-9;-~]+[ \t]*:|[ \t]", line) for line in head.split(b"\r\n"))
            or head[:1] in b" \t"
        ):
            return "damage: a line that is no field goes with the field before it, or with none"
    return ""


def is_empty_text(part: object) -> bool:
    return isinstance(part, list) and is_leaf(part, b"text", b"plain") and part[6] == b"0"


def parameters(part: list[object]) -> dict[bytes, bytes]:
    flat = part[2] if isinstance(part[2], list) else []
    return {bytes(k).lower(): bytes(v).lower() for k, v in zip(flat[::2], flat[1::2], strict=True)}


BATCH = 40  # messages fetched at once
STRUCTURES = "RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE"
TOP = (
    "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS (Subject FROM x-none)] "
    "BODY.PEEK[HEADER.FIELDS.NOT (subject received)] BODY.PEEK[]<0.30> BODY.PEEK[]<7.1000> BODY.PEEK[TEXT]<3.9> "
    "BODY.PEEK[]<1000000.5> BODY.PEEK[HEADER]<10.20> RFC822.HEADER"
)


def sections(structure: object, prefix: str = "") -> Iterator[str]:
    """Part numbers a BODYSTRUCTURE gives, each with .MIME, and .HEADER and .TEXT of messages (RFC 3501 §6.4.5)."""
    if not isinstance(structure, list) or not structure:
        return
    if isinstance(structure[0], list):
        for n, part in enumerate(
            (p for p in structure if isinstance(p, list) and p and _is_part(p)), 1
        ):
            yield from _of_part(part, f"{prefix}{n}")
    elif not prefix:
        yield from _of_part(structure, "1")


def _is_part(value: list[object]) -> bool:
    return isinstance(value[0], list) or (
        len(value) >= 7 and isinstance(value[0], bytes) and isinstance(value[1], bytes)
    )


def _of_part(part: list[object], number: str) -> Iterator[str]:
    yield from (number, f"{number}.MIME")
    if isinstance(part[0], list):
        yield from sections(part, f"{number}.")
    elif bytes(part[0]).upper() == b"MESSAGE" and bytes(part[1]).upper() == b"RFC822":  # type: ignore[arg-type]
        yield from (f"{number}.HEADER", f"{number}.TEXT", f"{number}.HEADER.FIELDS (Subject From)")
        inner = part[8] if len(part) > 8 else None
        if isinstance(inner, list) and inner:
            if isinstance(inner[0], list):
                yield from sections(inner, f"{number}.")
            else:
                yield from _of_part(inner, f"{number}.1")


def compare(ours: Imap, theirs: Imap, samples: list[Sample]) -> list[Difference]:
    """All differences without a reason.  Where the structures differ for one, part numbers mean different things."""
    found: list[Difference] = []

    def ask(numbers: str, items: str) -> tuple[dict[int, Told], dict[int, Told]]:
        return ours.fetch(numbers, f"({items})", uid=False), theirs.fetch(
            numbers, f"({items})", uid=False
        )

    def look(sample: Sample, mine: Told, yours: Told) -> None:
        for item in dict.fromkeys([*mine, *yours]):
            one, two = mine.get(item, b"not said"), yours.get(item, b"not said")
            if plain(item, one) != plain(item, two):
                difference = Difference(sample.origin, item, one, two, sample.raw)
                why = reason(difference)
                if not why or "UNKNOWN" in why:
                    found.append(difference)

    for start in range(1, len(samples) + 1, BATCH):
        end = min(start + BATCH, len(samples) + 1)
        mine, yours = ask(f"{start}:{end - 1}", f"{STRUCTURES} {TOP}")
        for number in range(start, end):
            sample = samples[number - 1]
            if b"\r" in sample.raw.replace(b"\r\n", b""):
                continue  # Dovecot does not keep a lone CR
            look(sample, mine[number], yours[number])
            one, two = mine[number][b"BODYSTRUCTURE"], yours[number][b"BODYSTRUCTURE"]
            if folded(one) == folded(two):
                parts = " ".join(f"BODY.PEEK[{s}]" for s in list(sections(one))[:60])
                told = ask(
                    str(number), f"{parts} BODY.PEEK[1]<2.7> BODY.PEEK[99] BODY.PEEK[98.1.1]"
                )
                look(sample, told[0][number], told[1][number])
    return found


def plain(item: bytes, value: object) -> object:
    """What must be the same: structures and envelopes but for case and white space, anything else octet by octet.

    Dovecot writes type names and encodings in the case that it saw them first in, and one space for each fold with
    its white space, where RFC 5322 §2.2.3 takes out the CRLF alone.  A part that does not exist is NIL or "".
    """
    if item.startswith(b"BODY["):
        return value or b""
    return folded(value)


@pytest.fixture
def both(
    server: Server, dovecot: Debian, account: Account
) -> Callable[[list[Sample]], tuple[Imap, Imap]]:
    def make(samples: list[Sample]) -> tuple[Imap, Imap]:
        return fill(server, account, samples), fill(dovecot, dovecot.account(), samples)

    return make


Both = Callable[[list[Sample]], tuple[Imap, Imap]]


@pytest.mark.rfc(3501, "7.4.2", "6.4.5")
@pytest.mark.needs("dovecot", "dovecot-imap")
class TestFetch:
    def test_messages_made_by_hand(self, both: Both) -> None:
        samples = torture.by_hand()
        found = compare(*both(samples), samples)
        assert not found, report(found)

    @pytest.mark.parametrize("seed", range(2))
    def test_random_trees(self, both: Both, seed: int, full: Callable[[int, int], int]) -> None:
        samples = list(torture.random_trees(full(150, 2000), seed))
        found = compare(*both(samples), samples)
        assert not found, report(found)

    def test_real_mail(self, both: Both, samples: list[Sample]) -> None:
        found = compare(*both(samples), samples)
        assert not found, report(found)


@pytest.mark.rfc(3501, "6.4.5")
@pytest.mark.parametrize("kind", ["made", "damaged", "real"])
def test_what_is_fetched_is_what_was_stored(
    server: Server,
    account: Account,
    samples: list[Sample],
    kind: str,
    full: Callable[[int, int], int],
) -> None:
    """Octet by octet; HEADER and TEXT make the whole; every part has the size that BODYSTRUCTURE says."""
    trees = torture.random_trees(full(150, 3000), 3, is_damaged=True)
    chosen = {"made": torture.by_hand, "damaged": lambda: list(trees), "real": lambda: samples}[
        kind
    ]()
    with fill(server, account, chosen) as imap:
        for number, sample in enumerate(chosen, 1):
            items = "(RFC822.SIZE BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])"
            told = imap.fetch(str(number), items, uid=False)[number]
            assert told[b"BODY[]"] == sample.raw, sample.origin
            assert told[b"RFC822.SIZE"] == b"%d" % len(sample.raw)
            assert told[b"BODY[HEADER]"] + told[b"BODY[TEXT]"] == sample.raw  # type: ignore[operator]
            sizes = dict(leaf_sizes(told[b"BODYSTRUCTURE"]))
            wanted = ["1", *(part for part in sizes if part.count(".") < 30 and part != "1")][:60]
            items = " ".join(f"BODY.PEEK[{part}]" for part in wanted)
            parts = imap.fetch(str(number), f"({items})", uid=False)[number]
            for part in set(wanted) & set(sizes):
                octets = len(parts[f"BODY[{part}]".encode()] or b"")  # type: ignore[arg-type]
                assert octets == sizes[part], (
                    f"{sample.origin}: part {part} has {octets} octets, not {sizes[part]}"
                )


def leaf_sizes(structure: object, prefix: str = "") -> Iterator[tuple[str, int]]:
    """(part number, octets as said) of every part that is no multipart."""
    assert isinstance(structure, list)
    if isinstance(structure[0], list):
        for n, part in enumerate(children(structure), 1):
            yield from leaf_sizes_of(part, f"{prefix}{n}")
    else:
        yield from leaf_sizes_of(structure, f"{prefix}1")


def leaf_sizes_of(part: object, number: str) -> Iterator[tuple[str, int]]:
    assert isinstance(part, list)
    if isinstance(part[0], list):
        yield from leaf_sizes(part, f"{number}.")
        return
    yield number, int(part[6])
    if is_leaf(part, b"message", b"rfc822"):
        yield from leaf_sizes(part[8], f"{number}.")


def queries(dice: random.Random, samples: list[Sample], count: int) -> Iterator[bytes]:
    """SEARCH keys made of words that occur in the samples, alone and combined."""
    words = [w for s in samples for w in re.findall(rb"[A-Za-z]{4,12}", s.raw[:4000])]
    subjects = [m for s in samples for m in re.findall(rb"(?mi)^Subject: ([ -!#-~]{3,30})", s.raw)]
    people = [
        m
        for s in samples
        for m in re.findall(rb"(?mi)^(?:From|To): .*?([a-z0-9.]{2,12}@[a-z0-9.]{3,12})", s.raw)
    ]

    def one() -> bytes:
        word = dice.choice(words)
        draw = dice.randrange(22)
        quoted = b'"' + dice.choice(subjects).replace(b"\\", b"\\\\").strip() + b'"'
        if draw < 6:
            key = dice.choice((b"BODY", b"TEXT", b"SUBJECT", b"FROM", b"TO", b"CC"))
            return key + b' "' + (word if dice.random() < 0.6 else word[1:5]) + b'"'
        return [
            b"SUBJECT " + quoted,
            dice.choice((b"FROM ", b"TO ")) + b'"' + dice.choice(people) + b'"',
            b"HEADER "
            + dice.choice((b"Message-ID", b"Received", b"X-Mailer", b"List-Id", b"Content-Type"))
            + b' ""',
            b'HEADER Content-Type "'
            + dice.choice((b"multipart", b"html", b"utf-8", b"plain; c"))
            + b'"',
            dice.choice(
                (
                    b"SEEN",
                    b"UNSEEN",
                    b"FLAGGED",
                    b"UNANSWERED",
                    b"DRAFT",
                    b"DELETED",
                    b"UNDELETED",
                    b"ALL",
                )
            ),
            dice.choice(
                (b"KEYWORD $Work", b"UNKEYWORD $Work", b"KEYWORD nosuch", b"OLD", b"NEW", b"RECENT")
            ),
            dice.choice((b"LARGER ", b"SMALLER "))
            + b"%d" % dice.choice((0, 500, 2000, len(dice.choice(samples).raw))),
            dice.choice((b"BEFORE ", b"SINCE ", b"ON ")) + b"%d-Mar-2026" % dice.randrange(1, 29),
            dice.choice((b"SENTBEFORE ", b"SENTSINCE ", b"SENTON "))
            + b"%d-" % dice.randrange(1, 29)
            + dice.choice((b"Jan-2002", b"Nov-2009", b"Mar-2026", b"Aug-2003", b"Jul-2012")),
            b"%d:%d" % (dice.randrange(1, len(samples)), dice.randrange(1, len(samples))),
            b"UID " + dice.choice((b"1:50", b"*", b"3,5,9:*", b"5000:*", b"4000")),
            b"BCC " + word[:3],
            b"1:*",
            dice.choice((b"OLDER ", b"YOUNGER ")) + dice.choice((b"1", b"9000000", b"4000000000")),
            dice.choice((b"UNDRAFT", b"UNFLAGGED", b"ANSWERED", b"UNKEYWORD nosuch")),
            b"%d:%d" % (dice.randrange(1, len(samples)), dice.choice((99999, 4294967295))),
        ][draw - 6]

    for _ in range(count):
        key = one()
        draw = dice.random()
        if draw < 0.15:
            key = b"NOT " + key
        elif draw < 0.3:
            key = b"OR " + key + b" " + one()
        elif draw < 0.4:
            key = b"(" + key + b" NOT (" + one() + b" " + one() + b"))"
        elif draw < 0.5:
            key += b" " + one()
        yield key


DATE = re.compile(r"\s*\w{3}, +\d+ [A-Z][a-z]{2} (\d{4}) \d\d?:\d\d(:\d\d)? [-+]\d{4}")


def is_known(sample: Sample) -> bool:
    return any(origin in sample.origin for origin, _, _ in KNOWN)


def means_the_same(raw: bytes) -> bool:
    """Mail in which both servers search the same words.

    Left out: messages in messages (their headers are body to us, RFC 3501 §6.4.4, and not to Dovecot), multiparts
    without parts (text to us), dates that are missing or broken (no date to us, 1970 to Dovecot).
    """
    mail = email.message_from_bytes(raw)
    year = DATE.match(str(mail.get("Date", "")))
    is_plain = not re.search(rb"message/rfc822|multipart/digest", raw, re.I) and not (
        mail.is_multipart() and not mail.get_payload()
    )
    return is_plain and not mail.defects and year is not None and 1970 < int(year[1]) < 2037


@pytest.mark.rfc(3501, "6.4.4")
@pytest.mark.needs("dovecot", "dovecot-imap")
def test_search(both: Both, samples: list[Sample], full: Callable[[int, int], int]) -> None:
    searchable = [
        sample for sample in samples if means_the_same(sample.raw) and not is_known(sample)
    ]
    assert len(searchable) > 700
    chosen = searchable[:: max(1, len(searchable) // full(400, 2000))]
    ours, theirs = both(chosen)
    dice = random.Random(7)
    different = []
    for key in queries(dice, chosen, full(400, 4000)):
        one, two = ours.search(key), theirs.search(key)
        if one != two:
            only = {f"+{n}" for n in set(one) - set(two)} | {f"-{n}" for n in set(two) - set(one)}
            different.append(f"{key.decode()}: {sorted(only)[:12]} {len(one)}/{len(two)}")
    assert not different, f"{len(different)} queries differ\n" + "\n".join(different[:60])
