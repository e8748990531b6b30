"""SEARCH as a client sees it: every key against a naive reading of the same messages (RFC 3501 §6.4.4)."""

import base64
import datetime as dt
import quopri
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.mailroom import Mailroom, Reader, bodies_read
from mailserver.imap.conversation import Read
from mailserver.imap.registry import SEARCH_KEYS
from mailserver.imap.searching import run, scan
from mailserver.store.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

BITS = {"ANSWERED": ANSWERED, "DELETED": DELETED, "DRAFT": DRAFT, "FLAGGED": FLAGGED, "SEEN": SEEN}
RECENT = (20, 30)
DAY = 86_400


def fold(text: str) -> str:
    return text.casefold()


@dataclass
class Letter:
    """What a message means, from which its octets are made: the naive reading never looks at those."""

    subject: str | None
    sender: tuple[str, str]  # name, address
    to: list[tuple[str, str]]
    cc: list[tuple[str, str]]
    bcc: list[tuple[str, str]]
    sent: dt.datetime | None
    extra: list[tuple[str, str]]
    texts: list[str]
    inner: tuple[str, str] | None  # subject and text of an embedded message
    hidden: str  # in a part that is no text
    style: int
    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_at: int = 0
    uid: int = 0
    raw: bytes = field(default=b"", repr=False)

    def text_fields(self) -> list[tuple[str, str]]:
        """(name, value) of every header field, decoded."""
        out = [("From", _shown(self.sender))]
        for name, people in (("To", self.to), ("Cc", self.cc), ("Bcc", self.bcc)):
            if people:
                out.append((name, ", ".join(map(_shown, people))))
        if self.subject is not None:
            out.append(("Subject", self.subject))
        if self.sent is not None:
            out.append(("Date", self.sent.strftime("%a, %d %b %Y %H:%M:%S %z")))
        return out + self.extra

    def build(self) -> bytes:
        """The octets; *style* chooses encodings and charsets."""
        word = _words(self.style)
        head = [b"From: " + _address(self.sender, word)]
        for name, people in ((b"To", self.to), (b"Cc", self.cc), (b"Bcc", self.bcc)):
            if people:
                head.append(name + b": " + b",\r\n ".join(_address(p, word) for p in people))
        if self.subject is not None:
            head.append(b"Subject: " + word(self.subject))
        if self.sent is not None:
            head.append(b"Date: " + self.sent.strftime("%a, %d %b %Y %H:%M:%S %z").encode())
        head += [name.encode() + b": " + word(value) for name, value in self.extra]
        parts = [_text_part(text, self.style + n) for n, text in enumerate(self.texts)]
        if self.inner is not None:
            parts.append(
                b"Content-Type: message/rfc822\r\n\r\nSubject: " + word(self.inner[0])
                + b"\r\n" + _text_part(self.inner[1], self.style)
            )  # fmt: skip
        if self.hidden:
            parts.append(
                b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                + base64.encodebytes(self.hidden.encode())
            )
        if len(parts) == 1 and not self.hidden:
            return b"\r\n".join(head) + b"\r\n" + parts[0]
        body = b"".join(b"\r\n--=_b\r\n" + part for part in parts)
        kind = b'Content-Type: multipart/mixed; boundary="=_b"'
        return b"\r\n".join([*head, kind]) + b"\r\n\r\n" + body + b"\r\n--=_b--\r\n"


def _shown(person: tuple[str, str]) -> str:
    name, address = person
    return f"{name} <{address}>" if name else address


def _words(style: int) -> Callable[[str], bytes]:
    charset = ("utf-8", "koi8-r", "iso-8859-5", "utf-8")[style % 4]

    def word(text: str) -> bytes:
        if text.isascii():
            return text.encode()
        if style % 3 == 0:
            return text.encode()  # raw UTF-8
        try:
            octets = text.encode(charset)
        except UnicodeError:
            octets = text.encode()
            return b"=?utf-8?b?" + base64.b64encode(octets) + b"?="
        if style % 3 == 1:
            return b"=?%b?B?%b?=" % (charset.encode(), base64.b64encode(octets))
        half = len(text) // 2
        halves = [
            quopri.encodestring(t.encode(charset), header=True) for t in (text[:half], text[half:])
        ]
        return b"\r\n ".join(b"=?%b?q?%b?=" % (charset.encode(), q) for q in halves)

    return word


def _address(person: tuple[str, str], word: Callable[[str], bytes]) -> bytes:
    name, address = person
    return word(name) + b" <" + address.encode() + b">" if name else address.encode()


def _text_part(text: str, style: int) -> bytes:
    charset = ("utf-8", "koi8-r", "utf-16", "utf-8")[style % 4]
    try:
        octets = text.encode(charset)
    except UnicodeError:
        charset, octets = "utf-8", text.encode()
    if style % 3 == 0 and charset != "utf-16":
        encoding = b"8bit"
    elif style % 3 == 1 or charset == "utf-16":
        encoding, octets = b"base64", base64.encodebytes(octets).replace(b"\n", b"\r\n")
    else:
        encoding, octets = b"quoted-printable", quopri.encodestring(octets)
    return b"Content-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (
        charset.encode(), encoding, octets,
    )  # fmt: skip


PEOPLE = [
    ("Ann Smith", "ann@example.org"),
    ("", "bob.jones@example.net"),
    ("Борис Волков", "boris@example.ru"),
    ("Jürgen Grün", "j.gruen@example.de"),
    ("smith", "list@lists.example.org"),
]
SUBJECTS = [
    "Invoice 4711",
    "Отпуск в июле",
    "Grüße aus Wien",
    "",
    None,
    "Re: invoice for отпуск",
    "meeting minutes",
]
TEXTS = [
    "Please pay the INVOICE by Monday.\r\n",
    "Мы едем в отпуск.\r\nДо встречи!\r\n",
    "Viele Grüße\r\nund bis bald\r\n",
    "nothing here\r\n",
    "a line of text = with signs?\r\n" * 40,
]


def letters() -> list[Letter]:
    """A mixed bag, the same each time."""
    out = []
    for n in range(48):
        zone = dt.timezone(dt.timedelta(hours=(-11, 0, 13)[n % 3]))
        sent = dt.datetime(2024, 1, 1 + n % 4, (1, 12, 23)[n % 3], 30, tzinfo=zone)
        out.append(
            Letter(
                subject=SUBJECTS[n % 7],
                sender=PEOPLE[n % 5],
                to=[PEOPLE[(n + 1) % 5], PEOPLE[(n + 3) % 5]][: n % 3],
                cc=[PEOPLE[(n + 2) % 5]] if n % 4 == 1 else [],
                bcc=[PEOPLE[n % 2]] if n % 6 == 2 else [],
                sent=sent if n % 5 else None,
                extra=[("X-Mood", SUBJECTS[(n + 2) % 7] or "none")] if n % 3 == 0 else [],
                texts=[TEXTS[n % 5]] + ([TEXTS[(n + 1) % 5]] if n % 4 == 0 else []),
                inner=(SUBJECTS[1] or "", TEXTS[(n + 2) % 5]) if n % 7 == 3 else None,
                hidden="invoice in disguise" if n % 9 == 4 else "",
                style=n,
                flags=n * 7 % 32,
                keywords=(("$Work",), ("$Work", "todo"), ())[n % 3],
                internal_at=1_704_067_200 + n * 40_000,
            )
        )
    return out


class Bag:
    """The letters in a mailbox, with some gaps among their UIDs."""

    def __init__(self, folder: Path) -> None:
        self.room = Mailroom(folder, threshold=2_000)
        self.letters = letters()
        for letter in self.letters:
            letter.raw = letter.build()
            letter.uid = self.room.put(
                letter.raw, letter.flags, letter.keywords, letter.internal_at
            )
        gone = {5, 6, 17, 48}
        self.room.expunge(*gone)
        self.letters = [letter for letter in self.letters if letter.uid not in gone]
        self.client = self.room.reader(recent=RECENT)

    def found(self, program: str | bytes, prefix: bytes = b"UID ") -> list[int]:
        return found(self.client, program, prefix)


def found(client: Reader, program: str | bytes, prefix: bytes = b"UID ") -> list[int]:
    wire = program.encode() if isinstance(program, str) else program
    said = client.ask(prefix + b"SEARCH " + wire)
    first, end, _ = said.split(b"\r\n")
    assert end == b"a OK %bSEARCH completed." % prefix
    assert first.startswith(b"* SEARCH")
    return [int(n) for n in first.split()[2:]]


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bag]:
    bag = Bag(tmp_path_factory.mktemp("bag"))
    yield bag
    bag.room.close()


# the naive reading

Test = Callable[["Letter", int], bool]


def _people(people: list[tuple[str, str]], needle: str) -> bool:
    return any(fold(needle) in fold(_shown(person)) for person in people)


def _day(letter: Letter) -> dt.date | None:
    return letter.sent.date() if letter.sent else None


def _body(letter: Letter, needle: str) -> bool:
    texts = [*letter.texts, *(letter.inner or ())]
    return any(fold(needle) in fold(text) for text in texts)


def _header(letter: Letter, name: str, needle: str) -> bool:
    return any(
        n.lower() == name.lower() and fold(needle) in fold(value)
        for n, value in letter.text_fields()
    )


def _internal(letter: Letter) -> dt.date:
    return dt.datetime.fromtimestamp(letter.internal_at, dt.UTC).date()


def quoted(text: str) -> str:
    return f"{{{len(text.encode())}}}\r\n{text}"


NEEDLES = st.sampled_from(
    ["invoice", "INVOICE", "отпуск", "ОТПУСК", "Grüße", "smith", "ann@", "example", "Ann Smith <ann@example.org>",
     "Борис", "monday", "signs?\r\na line", "zzz", "до встречи", "e", "2024"]
)  # fmt: skip
DAYS = st.dates(dt.date(2023, 12, 31), dt.date(2024, 1, 24))


def day_text(day: dt.date) -> str:
    return day.strftime("%d-%b-%Y").lstrip("0")


def one(wire: str, test: Test) -> tuple[str, Test]:
    return wire, test


keys = st.one_of(
    st.just(one("ALL", lambda m, n: True)),
    *[st.just(one(name, lambda m, n, bit=bit: bool(m.flags & bit))) for name, bit in BITS.items()],
    *[st.just(one(f"UN{name}", lambda m, n, bit=bit: not m.flags & bit)) for name, bit in BITS.items()],
    st.just(one("RECENT", lambda m, n: RECENT[0] <= m.uid <= RECENT[1])),
    st.just(one("OLD", lambda m, n: not RECENT[0] <= m.uid <= RECENT[1])),
    st.just(one("NEW", lambda m, n: RECENT[0] <= m.uid <= RECENT[1] and not m.flags & SEEN)),
    st.sampled_from(["$work", "TODO", "none"]).flatmap(
        lambda k: st.sampled_from(
            [
                one(f"KEYWORD {k}", lambda m, n: k.lower() in [x.lower() for x in m.keywords]),
                one(f"UNKEYWORD {k}", lambda m, n: k.lower() not in [x.lower() for x in m.keywords]),
            ]
        )
    ),
    st.integers(0, 2_000).flatmap(
        lambda size: st.sampled_from(
            [
                one(f"LARGER {size}", lambda m, n: len(m.raw) > size),
                one(f"SMALLER {size}", lambda m, n: len(m.raw) < size),
            ]
        )
    ),
    DAYS.flatmap(
        lambda day: st.sampled_from(
            [
                one(f"BEFORE {day_text(day)}", lambda m, n: _internal(m) < day),
                one(f"ON {day_text(day)}", lambda m, n: _internal(m) == day),
                one(f'SINCE "{day_text(day)}"', lambda m, n: _internal(m) >= day),
                one(f"SENTBEFORE {day_text(day)}", lambda m, n: (d := _day(m)) is not None and d < day),
                one(f"SENTON {day_text(day)}", lambda m, n: _day(m) == day),
                one(f"SENTSINCE {day_text(day)}", lambda m, n: (d := _day(m)) is not None and d >= day),
            ]
        )
    ),
    NEEDLES.flatmap(
        lambda text: st.sampled_from(
            [
                one(f"FROM {quoted(text)}", lambda m, n: _people([m.sender], text)),
                one(f"TO {quoted(text)}", lambda m, n: _people(m.to, text)),
                one(f"CC {quoted(text)}", lambda m, n: _people(m.cc, text)),
                one(f"BCC {quoted(text)}", lambda m, n: _people(m.bcc, text)),
                one(f"SUBJECT {quoted(text)}", lambda m, n: fold(text) in fold(m.subject or "")),
                one(f"BODY {quoted(text)}", lambda m, n: _body(m, text)),
                one(f"HEADER x-mood {quoted(text)}", lambda m, n: _header(m, "X-Mood", text)),
                one(f"HEADER Subject {quoted(text)}", lambda m, n: _header(m, "Subject", text)),
                one(f"HEADER DATE {quoted(text)}", lambda m, n: _header(m, "Date", text)),
            ]
        )
    ),
    st.sampled_from(["X-Mood", "subject", "CC", "X-None"]).map(
        lambda name: one(f'HEADER {name} ""', lambda m, n: _header(m, name, ""))
    ),
    st.sampled_from(["invoice", "отпуск", "Grüße", "Ann Smith", "x-mood", "zzz", "octet-stream"]).map(
        lambda text: one(f"TEXT {quoted(text)}", lambda m, n: text.encode().lower() in _everything(m))
    ),
    st.lists(st.integers(1, 44), min_size=1, max_size=3).map(
        lambda seqs: one(",".join(map(str, seqs)), lambda m, n: n in seqs)
    ),
    st.tuples(st.integers(1, 60), st.integers(1, 60)).map(
        lambda r: one(f"UID {r[0]}:{r[1]}", lambda m, n: min(r) <= m.uid <= max(r))
    ),
)  # fmt: skip


def _everything(letter: Letter) -> bytes:
    fields = [f"{name}: {value}" for name, value in letter.text_fields()]
    inner = list(letter.inner or ())
    kinds = ["Content-Type: application/octet-stream"] if letter.hidden else []
    return "\n".join([*fields, *letter.texts, *inner, *kinds]).lower().encode()


programs = st.recursive(
    keys,
    lambda inner: st.one_of(
        inner.map(lambda k: one(f"NOT {k[0]}", lambda m, n: not k[1](m, n))),
        st.tuples(inner, inner).map(
            lambda t: one(f"OR {t[0][0]} {t[1][0]}", lambda m, n: t[0][1](m, n) or t[1][1](m, n))
        ),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda ks: one(
                "(" + " ".join(k[0] for k in ks) + ")", lambda m, n: all(k[1](m, n) for k in ks)
            )
        ),
    ),
    max_leaves=7,
)


@pytest.mark.rfc(3501, "6.4.4")
@settings(max_examples=400)
@given(programs)
def test_against_a_naive_reading(bag: Bag, program: tuple[str, Test]) -> None:
    wire, test = program
    expected = [m.uid for n, m in enumerate(bag.letters, 1) if test(m, n)]
    assert bag.found("CHARSET UTF-8 " + wire) == expected
    seqs = [n for n, m in enumerate(bag.letters, 1) if test(m, n)]
    assert bag.found(wire, b"") == seqs


@settings(max_examples=120)
@given(programs, st.booleans())
def test_against_a_naive_reading_slice_by_slice(
    bag: Bag, program: tuple[str, Test], at_a_glance: bool
) -> None:
    """As in a large mailbox: what can be told of all messages at a glance, then some at a time."""
    wire, test = program
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "ROWS", 7)
        patch.setattr(run, "GLANCED", 64_000_000 if at_a_glance else 0)
        expected = [m.uid for n, m in enumerate(bag.letters, 1) if test(m, n)]
        assert bag.found("CHARSET UTF-8 " + wire) == expected
        seqs = [n for n, m in enumerate(bag.letters, 1) if test(m, n)]
        assert bag.found(wire, b"") == seqs


@settings(max_examples=60)
@given(keys)
def test_each_key_alone(bag: Bag, key: tuple[str, Test]) -> None:
    wire, test = key
    assert bag.found(wire) == [m.uid for n, m in enumerate(bag.letters, 1) if test(m, n)]


def test_the_same_in_many_small_steps(bag: Bag, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is put down after every piece and taken up in another transaction finds the same."""
    program = "OR TEXT {6}\r\nGR\xc3\x9c\xc3\x9f HEADER X-Mood inv NOT BODY nothing".encode(
        "latin-1"
    )
    once = bag.found(program)
    assert once
    monkeypatch.setattr(scan, "STEP", 1)
    monkeypatch.setattr(scan, "HELD", 1)
    assert bag.found(program) == once
    assert len([e for e in bag.client.effects if isinstance(e, Read)]) > 40


def test_every_key_is_tried_here() -> None:
    """The strategy above names all keys of the table."""
    named = set(BITS) | {f"UN{b}" for b in BITS}
    named |= {"ALL", "RECENT", "OLD", "NEW", "KEYWORD", "UNKEYWORD", "LARGER", "SMALLER", "UID"}
    named |= {"BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"}
    named |= {"FROM", "TO", "CC", "BCC", "SUBJECT", "BODY", "HEADER", "TEXT"}
    elsewhere = {"EMAILID", "THREADID", "MODSEQ", "OLDER", "YOUNGER"}  # in transcripts of their own
    elsewhere |= {"SAVEDBEFORE", "SAVEDON", "SAVEDSINCE", "SAVEDATESUPPORTED"}
    assert named | elsewhere == set(SEARCH_KEYS)  # NOT, OR and sequence-sets are grammar


# single cases


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    room = Mailroom(tmp_path)
    yield room
    room.close()


def test_an_empty_mailbox(room: Mailroom) -> None:
    client = room.reader()
    assert found(client, "ALL") == []
    assert found(client, "1:*", b"") == []
    assert found(client, "NOT BODY x", b"") == []


@pytest.mark.rfc(7377, "2")
def test_a_number_without_message_matches_nothing(bag: Bag) -> None:
    assert bag.client.ask("SEARCH 45").startswith(b"* SEARCH\r\n")
    assert bag.client.ask("SEARCH 44:90").startswith(b"* SEARCH 44\r\n")
    assert bag.client.ask("UID SEARCH NOT 1:45").startswith(b"* SEARCH\r\n")
    assert bag.client.ask("UID SEARCH UID 1000").startswith(b"* SEARCH\r\n")


@pytest.mark.rfc(3501, "6.4.4")
@pytest.mark.parametrize(
    ("charset", "text"),
    [("UTF-8", "отпуск"), ("KOI8-R", "отпуск"), ("windows-1251", "ОТПУСК"),
     ("iso-8859-1", "GRÜSSE"), ("utf-8", "GRÜẞE")],
)  # fmt: skip
def test_charsets(bag: Bag, charset: str, text: str) -> None:
    octets = text.encode(charset)
    program = b'CHARSET "%b" BODY {%d}\r\n%b' % (charset.encode(), len(octets), octets)
    plain = text.replace("ẞ", "SS").casefold()
    assert bag.found(program) == [
        m.uid for m in bag.letters if plain in "\n".join([*m.texts, *(m.inner or ())]).casefold()
    ]


@pytest.mark.rfc(3501, "6.4.4")
def test_an_unknown_charset_is_no_and_names_known_ones(bag: Bag) -> None:
    said = bag.client.ask(b"SEARCH CHARSET X-Klingon TEXT {2}\r\n\xff\xfe")
    assert said.startswith(b"a NO [BADCHARSET (US-ASCII UTF-8 ")
    assert bag.client.ask(b"SEARCH CHARSET UTF-8 TEXT {2}\r\n\xff\xfe").startswith(b"a BAD ")


@pytest.mark.rfc(3501, "6.4.4")
@pytest.mark.parametrize(
    ("raw", "hits", "misses"),
    [
        (  # the field, not the words in it: an address's parts in every form people type them
            b'From: "Smith, John" <j.smith@example.org>\r\n\r\n',
            ["FROM smith", "FROM j.smith@example", 'FROM "Smith, John <j"', r'FROM "\"Smith, John\" <j"'],
            ["TO smith", 'FROM "smith john"', "FROM example.com", "SUBJECT smith", "BODY smith"],
        ),
        (
            b"To: undisclosed: a@b.example, =?utf-8?q?C=C3=A9line?= <c@d.example>;\r\n\r\n",
            ["TO undisclosed", "TO a@b", 'TO "C\xe9line"', "TO c@d"],
            ["FROM undisclosed", "CC a@b"],
        ),
        (b"From: a@b.example\r\n\r\n", ['FROM ""', 'HEADER FROM ""'], ['SUBJECT ""', 'TO ""', 'CC ""']),
        (b"Subject:\r\n\r\n", ['SUBJECT ""', 'HEADER Subject ""'], ["SUBJECT x"]),
        (
            b"Subject: one\r\n\ttwo\r\nSubject: three\r\n\r\n",
            ["SUBJECT three", "HEADER SUBJECT three", 'HEADER Subject "one two"', 'TEXT "one two"'],
            ['SUBJECT "one two"', 'HEADER SUBJECT "onetwo"'],
        ),
        (b"Subject: " + b"x" * 1_500 + b" needle\r\n\r\n", ["SUBJECT needle", "SUBJECT xx"], ["SUBJECT needles"]),
        (b"Subject: \xfcber\r\n\r\nk\xf6nnen\r\n", ["SUBJECT {5}\r\n\xfcber", "BODY {7}\r\nk\xf6nnen"], []),
        (
            b"Content-Type: text/html; charset=\"us-ascii\"\r\nX: y\r\n\r\n<b>bold</b> move\r\n",
            ["BODY bold", "BODY <b>", "TEXT charset", "HEADER content-type html"],
            ["BODY charset", "HEADER X html", "BODY y"],
        ),
        (
            b"Content-Type: multipart/report; boundary=b\r\n\r\npreamble\r\n--b\r\n"
            b"Content-Type: message/delivery-status\r\nX-Part: partly\r\n\r\nStatus: 5.1.1\r\n\r\n"
            b"--b\r\nContent-Type: image/png\r\n\r\npicture\r\n--b--\r\n",
            ["BODY 5.1.1", "TEXT partly", "TEXT image/png"],
            ["BODY partly", "BODY picture", "TEXT picture", "BODY preamble"],
        ),
        (  # a text cut into transfer-encoded lines is one text
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\nnee=\r\ndle =\r\n\r\nfoo=20bar\r\n",
            ["BODY needle", 'BODY "foo bar"'],
            ["BODY nee="],
        ),
        (b"", ['BODY ""', 'TEXT ""', "SMALLER 1", "NOT TEXT a"], ['SUBJECT ""', "TEXT a", "SENTON 1-Jan-2024"]),
        (b"\n\nbare\nlines\n", ["BODY bare", "BODY lines"], ["TEXT subject"]),
        (b"\xff\xfe\x00\r\n\r\n\x00nul\x00\r\n", ["BODY nul"], ["HEADER nul nul"]),
        (
            b"Date: nonsense\r\n\r\n",
            ["NOT SENTON 1-Jan-2024", "NOT SENTSINCE 1-Jan-1970", "HEADER date nonsense"],
            ["SENTBEFORE 1-Jan-2100"],
        ),
    ],
)  # fmt: skip
def test_texts(room: Mailroom, raw: bytes, hits: list[str], misses: list[str]) -> None:
    room.put(b"Subject: another\r\n\r\nbody\r\n")
    uid = room.put(raw)
    client = room.reader()
    for program in hits:
        assert uid in found(client, _utf8(program)), program
    for program in misses:
        assert uid not in found(client, _utf8(program)), program


def _utf8(program: str) -> bytes:
    """The program with each character above 127 in UTF-8; literals are announced in octets already."""
    return program.encode()


def test_text_across_the_pieces_of_a_long_body(room: Mailroom) -> None:
    filler = b"0123456789abcde\r\n" * 20_000
    for n in range(3):
        raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
            filler[: 262_144 * 3 // 4 - 40 + n * 10] + "nееdle".encode() + filler
        )
        room.put(raw)
    client = room.reader()
    assert found(client, "BODY {8}\r\nnееdle") == [1, 2, 3]
    assert found(client, "BODY {9}\r\nnееdle1") == []
    reads = [e for e in client.effects if isinstance(e, Read)]
    assert len(reads) == 1 or len(reads) == 2


def test_a_message_that_goes_meanwhile_matches_nothing(room: Mailroom) -> None:
    room.put_all([(b"Subject: x\r\n\r\nbody\r\n", 0, (), 0)] * 4)
    client = room.reader()
    room.expunge(2)
    assert found(client, "BODY body", b"") == [1, 3, 4]
    assert found(client, "NOT BODY foo", b"") == [1, 3, 4]
    assert found(client, "NOT SEEN", b"") == [1, 3, 4]


def test_when_all_are_gone_nothing_matches(room: Mailroom) -> None:
    room.put_all([(b"Subject: x\r\n\r\nbody\r\n", 0, (), 0)] * 3)
    client = room.reader()
    room.expunge(1, 2, 3)
    for program in (
        "UNSEEN",
        "SUBJECT x",
        "HEADER Subject x",
        "BODY body",
        "NOT DELETED NOT BODY x",
    ):
        assert found(client, program, b"") == []


def test_numbers_are_not_renumbered_by_a_search(room: Mailroom) -> None:
    room.put_all([(b"Subject: x\r\n\r\n", 0, (), 0)] * 3)
    client = room.reader()
    room.expunge(1)
    assert b"EXPUNGE" not in client.ask("SEARCH UNSEEN")  # RFC 3501 §7.4.1
    assert b"* 1 EXPUNGE" in client.ask("UID SEARCH UNSEEN")


def test_the_store_is_not_asked_for_what_the_session_knows(bag: Bag) -> None:
    assert len(bag.found("UID 1:10 RECENT")) == 0
    assert len(bag.found("ALL")) == 44
    assert not [e for e in bag.client.effects if isinstance(e, Read)]


def test_bodies_are_read_only_for_undecided_messages(room: Mailroom) -> None:
    room.put_all([(b"Subject: s%d\r\n\r\nbody\r\n" % n, n % 2, (), 0) for n in range(10)])
    client = room.reader()
    with bodies_read() as read:
        assert found(client, "OR SEEN BODY body UNSEEN SUBJECT s4") == [5]
    assert read == [5]


def test_what_a_command_may_ask_for_is_bounded(bag: Bag) -> None:
    ask = bag.client.ask
    assert ask("SEARCH " + "OR ALL " * 3_000 + "ALL").startswith(b"a BAD ")
    assert ask("SEARCH " + "NOT " * 1_900 + "SEEN").startswith(b"* SEARCH")
    assert ask("SEARCH " + "(" * 60 + "ALL" + ")" * 60).startswith(b"a BAD ")
    many = "1" + ",3" * 5_999
    assert ask(f"SEARCH {many}").startswith(b"* SEARCH")
    assert ask(f"SEARCH OR {many} UID {many}").startswith(b"a BAD ")


def test_many_keys_are_many_steps(room: Mailroom) -> None:
    """A thousand texts to look for are not looked for in one transaction."""
    room.put_all([(b"Subject: x\r\n\r\nbody\r\n", 0, (), 0)] * 200)
    client = room.reader()
    keys = "OR " * 899 + " ".join(f"BODY text{n}" for n in range(900))
    assert found(client, keys, b"") == []
    assert len([e for e in client.effects if isinstance(e, Read)]) >= 5
    keys = "OR " * 899 + " ".join(f"SUBJECT text{n}" for n in range(900))
    assert found(client, keys, b"") == []
    assert len([e for e in client.effects if isinstance(e, Read)]) >= 5
