"""Search programs: their grammar, and that what is known early is never wrong (RFC 3501 §6.4.4, §9)."""

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.base.limits import ImapLimits
from mailserver.base.numset import compress
from mailserver.imap.commands import search
from mailserver.imap.parser import Parser
from mailserver.imap.partial import Partial, parse_partial
from mailserver.imap.searching import answer, prefilter, runs
from mailserver.imap.searching.bits import full, pack, select
from mailserver.imap.searching.program import Known, Op, Program, parse_program
from mailserver.imap.searching.returning import parse_returning
from mailserver.store import search as store_search

LIMITS = ImapLimits(nesting=5, search_keys=40)


def read(wire: bytes, charset: str = "utf-8") -> Program:
    p = Parser(wire, LIMITS)
    program = parse_program(p, charset)
    p.end()
    return program


def steps(wire: bytes) -> str:
    return " ".join(
        f"{n}" if op is Op.KEY else op.value + (str(n) if n else "") for op, n in read(wire).steps
    )


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    ("wire", "postfix"),
    [
        (b"ALL", "0"),
        (b"SEEN DELETED", "0 1 and2"),
        (b"seen Seen SEEN", "0 1 2 and3"),
        (b"SEEN SEEN", "0 0 and2"),  # the same key is tried once
        (b"NOT SEEN", "0 not"),
        (b"NOT NOT SEEN", "0 not not"),
        (b"OR SEEN DELETED", "0 1 or2"),
        (b"OR SEEN OR DELETED DRAFT", "0 1 2 or2 or2"),
        (b"OR OR SEEN DELETED DRAFT ALL", "0 1 or2 2 or2 3 and2"),
        (b"OR NOT SEEN NOT DELETED", "0 not 1 not or2"),
        (b"NOT OR SEEN DELETED", "0 1 or2 not"),
        (b"(SEEN)", "0"),
        (b"(SEEN DELETED) DRAFT", "0 1 and2 2 and2"),
        (b"NOT (SEEN DELETED)", "0 1 and2 not"),
        (b"OR (SEEN DELETED) (DRAFT)", "0 1 and2 2 or2"),
        (b"((((ALL))))", "0"),
        (b"1:* UID 1:* *", "0 1 2 and3"),
        (b"OR 1 2", "0 1 or2"),
        (b"$ SEEN", "0 1 and2"),
        (b"FUZZY SEEN", "0"),
        (b'FUZZY SUBJECT "two words"', "0 1 and2"),  # its words, without their endings
        (b'NOT FUZZY SUBJECT "two words"', "0 1 and2 not"),
        (b'FUZZY NOT SUBJECT "two words"', "0 1 and2 not"),
        (b'SUBJECT "two words" FUZZY SUBJECT "two words"', "0 1 2 and2 and2"),
        (b'FUZZY (BODY "a b" SEEN) BODY "a b"', "0 1 and2 2 and2 3 and2"),
        (b'FUZZY FUZZY SUBJECT "a a"', "0"),
        (b'FUZZY SUBJECT ""', "0"),
    ],
)
def test_programs(wire: bytes, postfix: str) -> None:
    assert steps(wire) == postfix


@pytest.mark.rfc(3501, "9")
@pytest.mark.parametrize(
    "wire",
    [
        b"", b" ALL", b"ALL ", b"ALL  SEEN", b"NOT", b"NOT ", b"OR", b"OR SEEN", b"OR SEEN ", b"(", b"()", b")",
        b"(ALL", b"ALL)", b"( ALL)", b"(ALL )", b"((((((ALL))))))", b"NONSENSE", b"0", b"1:", b"1,,2", b"UID", b"UID 0",
        b"UID ALL", b"FROM", b"FROM ", b'FROM "a', b"FROM {5}\r\nab", b"HEADER X", b"HEADER X ", b"KEYWORD \\Seen",
        b"KEYWORD", b"LARGER", b"LARGER -1", b"LARGER 9223372036854775808",
        b"SMALLER x", b"BEFORE 32-Jan-2020", b"ON 1-Jan-20",
        b"SINCE 1-Foo-2020", b"SENTON 2020-01-01", b'SUBJECT "\xff"', b"TEXT {1}\r\n\xff", b"RETURN (MIN) ALL",
        b"OR " * 50 + b"ALL", b"NOT " * 39 + b"SEEN DRAFT", b"FUZZY", b"FUZZY ", b"ALL " * 40 + b"ALL",
    ],
)  # fmt: skip
def test_refuses(wire: bytes) -> None:
    with pytest.raises(PeerError):
        read(wire)


def test_a_chain_of_keys_needs_no_stack() -> None:
    deep = Parser(b"NOT " * 20_000 + b"ALL", ImapLimits(search_keys=1_000_000))
    program = parse_program(deep, "utf-8")
    assert program.evaluate([Known(1, 1)], 2) == Known(1, 1)


@pytest.mark.rfc(3501, "6.4.4")
@pytest.mark.parametrize(
    ("charset", "needle"),
    [
        (b"UTF-8", "grün".encode()),
        (b"utf-8", "grün".encode()),
        (b'"ISO-8859-1"', "grün".encode("latin-1")),
        (b"US-ASCII", b"gr"),
        (b"KOI8-R", "отпуск".encode("koi8-r")),
        (b"UTF-16BE", "grün".encode("utf-16-be")),
        (b"Shift_JIS", "日本".encode("shift_jis")),
    ],
)
def test_charsets(charset: bytes, needle: bytes) -> None:
    wire = b" CHARSET %b TEXT {%d}\r\n%b" % (charset, len(needle), needle)
    p = Parser(wire, LIMITS)
    if b"\0" in needle:  # no literal may hold NUL, so this charset cannot be used
        with pytest.raises(PeerError):
            search.parse(p)
        return
    args = search.parse(p)
    p.end()
    assert args.program is not None


@pytest.mark.rfc(3501, "6.4.4")
@pytest.mark.parametrize(
    "charset", [b"x-nonsense", b"base64", b'""', b"rot13", b"idna", b"{3}\r\n\xff\xff\xff"]
)
def test_unknown_charsets(charset: bytes) -> None:
    p = Parser(b" CHARSET " + charset + b" TEXT {1}\r\n\xff", LIMITS)
    assert search.parse(p).program is None
    p.end()


@given(st.binary(max_size=60))
def test_garbage_is_refused(wire: bytes) -> None:
    p = Parser(wire, LIMITS)
    try:
        search.parse(p)
        p.end()
    except PeerError:
        pass


WORDS = st.sampled_from(
    [
        b"ALL",
        b"NOT",
        b"OR",
        b"(",
        b")",
        b"SEEN",
        b"1:3",
        b"UID 1",
        b"FROM x",
        b'HEADER a ""',
        b"BODY {1}\r\na",
    ]
)


@given(st.lists(WORDS, max_size=12).map(b" ".join))
def test_whatever_is_read_is_a_whole_program(wire: bytes) -> None:
    wire = wire.replace(b"( ", b"(").replace(b" )", b")")
    try:
        program = read(wire)
    except PeerError:
        return
    result = program.evaluate([Known(0, 1)] * len(program.keys), 1)
    assert result.surely & ~result.perhaps == 0


# three-valued logic

SIZE = 6


class Node:
    """A naive program: what it says of one message, given what each key says."""

    def __init__(self, op: str, parts: Sequence["Node | int"]) -> None:
        self.op, self.parts = op, parts

    def truth(self, keys: Sequence[bool]) -> bool:
        said = [keys[p] if isinstance(p, int) else p.truth(keys) for p in self.parts]
        if self.op == "not":
            return not said[0]
        return any(said) if self.op == "or" else all(said)

    def wire(self) -> bytes:
        parts = [KEYS[p] if isinstance(p, int) else p.wire() for p in self.parts]
        if self.op == "not":
            return b"NOT " + parts[0]
        if self.op == "or":
            return b"OR " + b" ".join(parts)
        return b"(" + b" ".join(parts) + b")"


KEYS = [b"SEEN", b"DRAFT", b"FROM a", b"BODY b"]
nodes = st.recursive(
    st.integers(0, 3).map(lambda n: Node("and", [n])),
    lambda inner: st.one_of(
        inner.map(lambda n: Node("not", [n])),
        st.tuples(inner, inner).map(lambda t: Node("or", t)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Node("and", parts)),
    ),
    max_leaves=8,
)


@given(
    nodes,
    st.lists(
        st.lists(st.sampled_from([True, False, None]), min_size=4, max_size=4),
        min_size=SIZE,
        max_size=SIZE,
    ),
)
def test_early_decisions_are_right_and_complete(node: Node, said: list[list[bool | None]]) -> None:
    """Surely: true whatever the unknown keys turn out to be; not perhaps: false whatever they are.

    The other way round only holds where no key stands twice, so there it is not asked.
    """
    p = Parser(node.wire(), ImapLimits())
    program = parse_program(p, "utf-8")
    names = [name for name in KEYS if name in node.wire()]
    first = sorted(names, key=node.wire().index)
    known = [
        Known(
            pack([m[KEYS.index(name)] is True for m in said]),
            pack([m[KEYS.index(name)] is not False for m in said]),
        )
        for name in first
    ]
    surely, perhaps = program.evaluate(known, SIZE)
    assert surely & ~perhaps == 0
    for place, message in enumerate(said):
        bit = SIZE - 1 - place
        for guess in range(16):
            keys = [bool(guess >> n & 1) if v is None else v for n, v in enumerate(message)]
            truth = node.truth(keys)
            if surely >> bit & 1:
                assert truth
            if not perhaps >> bit & 1:
                assert not truth
    if all(v is not None for message in said for v in message):
        assert surely == perhaps


@given(st.lists(st.booleans(), max_size=70))
def test_bits(members: list[bool]) -> None:
    bits = pack(members)
    assert bits | full(len(members)) == full(len(members))
    assert select(bits, range(len(members))) == [n for n, m in enumerate(members) if m]


SETS = st.sets(st.integers(1, 60)).map(sorted)


@given(SETS, SETS, st.integers(1, 9))
def test_sets_of_uids(some: list[int], others: list[int], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefilter, "_PIECE", piece)
        patch.setattr(store_search, "_PIECE", piece)
        both = store_search.union(array("I", some), array("I", others))
        assert both == array("I", sorted({*some, *others}))
        bits = prefilter._bits(array("I", some), array("I", others))
        assert bits == pack([uid in some for uid in others])


@given(
    st.one_of(
        st.lists(st.integers(1, 12_000)),
        st.tuples(st.integers(1, 12_000), st.integers(0, 3_000)).map(
            lambda r: range(r[0], r[0] + r[1])
        ),
    )
)
def test_numbers_and_runs_of_numbers(numbers: Sequence[int]) -> None:
    written = " ".join(map(str, numbers)).encode()
    assert runs.joined(numbers) == runs.joined(array("I", numbers)) == written
    assert runs.joined(list(numbers)) == written
    assert runs.joined(numbers[::-1]) == " ".join(map(str, numbers[::-1])).encode()


@given(
    st.recursive(
        st.sampled_from(
            ["SEEN", "1:3", "$", "UID 5:*", 'SUBJECT "a b"', "OLDER 5", "MODSEQ 7", "KEYWORD x"]
        ),
        lambda inner: st.one_of(
            inner.map("NOT {}".format),
            inner.map("FUZZY {}".format),
            st.tuples(inner, inner).map("OR {0[0]} {0[1]}".format),
            st.lists(inner, min_size=1, max_size=3).map(lambda keys: "(" + " ".join(keys) + ")"),
        ),
        max_leaves=8,
    )
)
def test_every_program_leaves_one_result(text: str) -> None:
    program = parse_program(Parser(text.encode(), ImapLimits()), "utf-8")
    everything = [Known(1, 1)] * len(program.keys)
    assert program.evaluate(everything, 1) in (Known(0, 0), Known(1, 1))
    assert program.is_fuzzy == ("FUZZY" in text)
    assert program.asks_modseq == ("MODSEQ" in text)
    assert program.asks_last == ("*" in text)
    for exact, words in program.graded:
        assert exact.evaluate([Known(1, 1)] * len(exact.keys), 1) == Known(1, 1)
        assert words.evaluate([Known(0, 0)] * len(words.keys), 1) == Known(0, 0)


@given(st.binary(max_size=80))
def test_garbage(line: bytes) -> None:
    for start in (b"", b"FUZZY ", b"NOT (", b"OR "):
        try:
            read(start + line)
        except PeerError:
            continue


# result options


@pytest.mark.rfc(4731, "3.1")
@pytest.mark.parametrize(
    ("wire", "wants", "partial"),
    [
        (b"RETURN () ", {"ALL"}, None),
        (b"return (min Max) ", {"MIN", "MAX"}, None),
        (b"RETURN (SAVE PARTIAL -1:-5) ", {"SAVE"}, (-1, -5)),
        (b"RETURN (PARTIAL 7:7) ", set(), (7, 7)),
        (b"RETURN (COUNT CONTEXT UPDATE ALL RELEVANCY) ", {"COUNT", "CONTEXT", "UPDATE", "ALL", "RELEVANCY"}, None),
    ],
)  # fmt: skip
def test_result_options(wire: bytes, wants: set[str], partial: tuple[int, int] | None) -> None:
    p = Parser(wire, LIMITS)
    found = parse_returning(p)
    p.end()
    assert found is not None
    assert (found.wants, found.partial) == (wants, partial)


@given(st.binary(max_size=60))
def test_result_options_of_anything(wire: bytes) -> None:
    try:
        found = parse_returning(Parser(b"RETURN (" + wire, LIMITS))
    except PeerError:
        return
    assert found is not None


@pytest.mark.rfc(9394, "3.1")
@given(st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(0, 12))
def test_partial(one: int, two: int, from_the_end: bool, count: int) -> None:
    results = list(range(1, count + 1))
    low, high = sorted((one, two))
    if from_the_end:
        part, wanted = Partial(-one, -two), results[::-1][low - 1 : high][::-1]
    else:
        part, wanted = Partial(one, two), results[low - 1 : high]
    assert list(part.cut(results)) == wanted
    p = Parser(str(part).encode(), LIMITS)
    assert parse_partial(p) == part
    p.end()


@given(st.lists(st.integers(1, 40), unique=True), st.integers(1, 9))
def test_sequence_sets_in_pieces(numbers: list[int], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "PIECE", piece)
        text = b"".join(answer.sequence_set(numbers)).decode()
    assert text == compress(numbers)
