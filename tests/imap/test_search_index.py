"""Searches with the text index find what searches without it find, whatever state it is in."""

import base64
import quopri
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.papers import docx, pdf
from imap.mailroom import Mailroom, bodies_read
from mailserver.base.ids import AccountId, MessageId, ModSeq
from mailserver.base.limits import ImapLimits, SearchLimits
from mailserver.imap.parser import Parser
from mailserver.imap.searching import prefilter
from mailserver.imap.searching.bits import select
from mailserver.imap.searching.program import parse_program
from mailserver.imap.searching.run import Scope, find
from mailserver.jobs import feeder
from mailserver.jobs.feeder import Feeder
from mailserver.store import search, search_file
from mailserver.store.lookup import Lookup
from mailserver.store.search import Search, Sought
from mailserver.store.search_file import Fed, Fields, Portion, SearchFile
from mailserver.store.store import Store, StoreOptions

WORDS = [
    "invoice", "voice", "in", "Grüße", "STRASSE", "straße", "x", "no", "日本語", "e\u0301", "needle",
    "a_b", "50%", "@example.org", "re:", "l'été", "\u0130stanbul", "fi", "ﬁn", '"q"', "(c)", "\x01",
    "<a@", "org>", "\\",
]  # fmt: skip
words = st.sampled_from(WORDS)
phrases = st.lists(words, min_size=1, max_size=4).map(" ".join)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a few messages reach."""
    monkeypatch.setattr(prefilter, "WORTH", 1)
    monkeypatch.setattr("mailserver.imap.searching.scan.WORTH", 1)
    monkeypatch.setattr(search, "_FEW", 1)
    monkeypatch.setattr(search_file, "CHUNK", 3)
    monkeypatch.setattr(feeder, "MOST", 4)
    monkeypatch.setattr(feeder, "FIELDS_MOST", 7)
    monkeypatch.setattr(feeder, "GONE", 2)


def encoded(text: str, style: int) -> bytes:
    """A header value."""
    if style % 3 == 0:
        return text.encode()
    if style % 3 == 1:
        return b"=?utf-8?b?" + base64.b64encode(text.encode()) + b"?="
    half = len(text) // 2
    return b"\r\n ".join(
        b"=?utf-8?q?" + quopri.encodestring(t.encode(), header=True).replace(b"\n", b"") + b"?="
        for t in (text[:half], text[half:])
    )


def part(text: str, style: int, subtype: str = "plain") -> bytes:
    """A text part."""
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\n".encode()
    if style % 3 == 0:
        return head + b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text.encode() + b"\r\n"
    if style % 3 == 1:
        return (
            head + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(text.encode())
        )
    return (
        head
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + quopri.encodestring(text.encode())
    )


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    style = draw(st.integers(0, 8))
    subject, text, name = draw(phrases), draw(phrases), draw(words)
    long = " ".join([subject] * draw(st.sampled_from([1, 1, 1, 200])))
    head = (
        b"From: " + encoded(name, style).replace(b'"', b"").replace(b"\x01", b"")
        + b" <a@example.org>\r\nTo: b@example.test\r\nSubject: " + encoded(long, style + 1)
        + b"\r\nX-Odd : " + encoded(draw(phrases), style + 2) + b"\r\n"
    )  # fmt: skip
    head += draw(
        st.sampled_from(
            [b"", b"", b"no field\r\n", b"X: =?utf-8?q?open\r\nY: end?=\r\n", b"Cc: c@d\r\n"]
        )
    )
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return head + part(text, style)
    if kind == 1:
        html = "".join(
            f"<p>{w[: len(w) // 2]}<b>{w[len(w) // 2 :]}</b> &uuml;&#x6f;</p>\r\n"
            for w in text.split()
        )
        return head + part(html, style, "html")
    if kind == 2:
        inner = (
            b"Content-Type: message/rfc822\r\n\r\nSubject: " + encoded(draw(words), style) + b"\r\n"
        )
        parts = [part(text, style), inner + part(draw(words), style + 1)]
        parts.append(
            b"Content-Type: application/pdf; name*=utf-8''gr%C3%BC%C3%9Fe.pdf\r\n\r\n"
            + draw(words).encode()
            + b"\r\n"
        )
        body = b"".join(b"--=b\r\n" + p for p in parts)
        return head + b'Content-Type: multipart/mixed; boundary="=b"\r\n\r\n' + body + b"--=b--\r\n"
    if kind == 3:
        return draw(st.binary(max_size=80)) + head + b"\r\n" + draw(st.binary(max_size=80))
    return head + b"\r\n" + text.encode().replace(b" ", b"\0") + b"\r\n"


def quoted(text: str) -> str:
    return f"{{{len(text.encode())}+}}\r\n{text}"


def keys() -> st.SearchStrategy[str]:
    needle = st.one_of(words, phrases, anything).map(lambda t: t.replace("\0", ""))
    simple = st.one_of(
        st.builds(
            lambda name, text: f"{name} {quoted(text)}",
            st.sampled_from(["FROM", "TO", "CC", "BCC", "SUBJECT", "BODY", "TEXT"]),
            needle,
        ),
        st.builds(
            lambda name, text: f"HEADER {name} {quoted(text)}",
            st.sampled_from(["x-odd", "subject", "from", "y", "no", "content-type"]),
            needle,
        ),
        st.sampled_from(["UNSEEN", "ALL", "2:5", "UID 3:*", "SMALLER 400"]),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            inner.map(lambda k: f"NOT {k}"),
            st.builds(lambda a, b: f"OR {a} {b}", inner, inner),
            st.lists(inner, min_size=1, max_size=3).map(lambda ks: f"({' '.join(ks)})"),
        ),
        max_leaves=4,
    )


class Searched(Mailroom):
    """A mailroom with an index that is fed when a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.feeder = Feeder(self.store, SearchLimits(text_size=4_000))
        self.other = self.write(lambda tx: tx.mailboxes.create(self.account.id, "Other").id)

    def close(self) -> None:
        self.feeder.close()
        super().close()

    def search(
        self,
        program: str,
        mailbox: Any = None,
        *,
        with_index: bool = True,
        is_loose: bool = False,
    ) -> list[int]:
        """UIDs that match."""
        box = mailbox or self.inbox
        uids = self.store.read_now(lambda tx: tx.messages.uids(box))
        command = parse_program(Parser(program.encode(), ImapLimits()), "utf-8")
        if is_loose:
            command = replace(command, keys=tuple(key.loosely() for key in command.keys))
        talk = find(command, Scope(box, uids))
        value: Any = None
        with pytest.MonkeyPatch.context() as patch:
            if not with_index:
                patch.setattr(Search, "ask", lambda *_: None)
            try:
                while True:
                    value = self.store.read_now(talk.send(value).job)  # type: ignore[union-attr]  # it only reads
            except StopIteration as stop:
                return [uids[place] for place in stop.value]

    def check(self, program: str) -> None:
        for box in (self.inbox, self.other):
            assert self.search(program, box) == self.search(program, box, with_index=False), program

    def feed(self) -> None:
        while self.feeder.some():
            pass


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Searched]:
    room = Searched(tmp_path)
    yield room
    room.close()


actions = st.lists(
    st.sampled_from(
        ["feed", "feed", "feed", "all", "expunge", "copy", "move", "deliver", "rebuild"]
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(st.data())
def test_with_it_is_as_without_it(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = Searched(Path(folder))
        try:
            _live(room, data)
        finally:
            room.close()


def _live(room: Searched, data: st.DataObject) -> None:
    for raw in data.draw(st.lists(messages(), min_size=3, max_size=12)):
        room.put(raw)
    programs = data.draw(st.lists(keys(), min_size=3, max_size=8))
    for action in data.draw(actions):
        uids = room.store.read_now(lambda tx: list(tx.messages.uids(room.inbox)))
        some = uids[:: data.draw(st.integers(1, 4))]
        if action == "feed":
            room.feeder.some()
        elif action == "all":
            room.feed()
        elif action == "expunge":
            room.expunge(*some[:3])
        elif action == "copy":
            room.write(lambda tx, some=some: tx.messages.copy(room.inbox, some, room.other))
        elif action == "move":
            room.write(lambda tx, some=some: tx.messages.move(room.inbox, some[1:], room.other))
        elif action == "deliver":
            room.put(data.draw(messages()))
        else:
            SearchFile(room.store.path.parent).discard()
            room.feeder = Feeder(room.store, SearchLimits(text_size=4_000))
        for program in programs:
            room.check(program)


LETTER = b"From: Ann <ann@example.org>\r\nSubject: %b\r\n\r\n%b\r\n"


def test_messages_that_were_not_read_are_not_found_by_reading(room: Searched) -> None:
    """Only candidates are read: the index has done its work."""
    for n in range(60):
        room.put(LETTER % (b"letter %d" % n, b"needle" if n == 7 else b"hay"))
    room.feed()
    with bodies_read() as read:
        assert room.search("BODY needle") == [8]
        assert read == [8]
        assert room.search("SUBJECT letter") == list(range(1, 61))
        assert room.search("FROM ANN") == list(range(1, 61))
        assert room.search("FROM bob") == []
        assert read == [8]


def test_short_fields_go_ahead_of_texts(room: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an import the senders are known at once: nothing is read for them, bodies are still right."""
    monkeypatch.setattr(feeder, "BEHIND", 5)
    for n in range(6):
        room.put(LETTER % (b"letter %d" % n + b" and on" * 300 * (n == 3), b"hay" * n))
    assert room.feeder.some()
    read = []
    with pytest.MonkeyPatch.context() as patch:
        take = Lookup.rows
        patch.setattr(Lookup, "rows", lambda self, *a: read.append(a[2:]) or take(self, *a))
        assert room.search("FROM ANN") == list(range(1, 7))
        assert room.search("FROM bob") == []
        assert room.search(f"SUBJECT {quoted('on and on')}") == [4]
        assert not read
        assert room.search("BODY hayhay") == [3, 4, 5, 6]
        assert read
    file = SearchFile(room.store.path.parent)
    fed = file.fed()[room.account.id]
    assert (fed.fields & 0xFFFFFFFF, fed.upto & 0xFFFFFFFF) == (6, 0)
    file.close()


@pytest.mark.parametrize("all_texts", [False, True])
def test_short_fields_that_cannot_be_read_are_left_to_the_search(
    room: Searched, monkeypatch: pytest.MonkeyPatch, all_texts: bool
) -> None:
    """Nothing is missing for it, neither before the texts are there nor after."""
    read = feeder.fields_of
    left = [1]

    def failing(*args: object) -> tuple[bytes, ...]:
        if left:
            raise ValueError(left.pop())
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(feeder, "fields_of", failing)
    for n in range(6):
        room.put(LETTER % (b"letter %d" % n, b"hay"))
    room.feeder.some()
    if all_texts:
        room.feed()
    assert not left
    for program in (
        "FROM ANN",
        "FROM bob",
        "SUBJECT letter",
        f"SUBJECT {quoted('letter 0')}",
        "BODY hay",
    ):
        room.check(program)
    assert room.search("FROM ANN") == list(range(1, 7))


@pytest.mark.rfc(9051, "6.4.4")
@pytest.mark.rfc(2854, "2")
def test_html_is_found_as_it_is_written_and_as_it_is_read(room: Searched) -> None:
    html = b"Content-Type: text/html\r\n\r\n<p title='hidden'>Gr&uuml;<b>&szlig;</b>e\r\n aus <i>K&ouml;ln</i>"
    room.put(html + b"<style>p { color: red }</style><!-- note --></p>\r\n")
    for fed in (False, True):
        if fed:
            room.feed()
        for needle in ("Grüße aus Köln", "grüsse", "hidden", "&uuml;<b>", "color: red"):
            assert room.search(f"BODY {quoted(needle)}") == [1], needle
        assert room.search("BODY {4+}\r\nkoln") == []


@pytest.mark.rfc(2231, "4")
def test_names_of_files_are_found_as_they_are_meant(room: Searched) -> None:
    room.put(
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: application/pdf\r\n'
        b"Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf\r\n\r\nx\r\n--b--\r\n"
    )
    for fed in (False, True):
        if fed:
            room.feed()
        assert room.search(f"TEXT {quoted('grüsse.pdf')}") == [1]
        assert room.search(f"BODY {quoted('grüsse.pdf')}") == []


def test_long_texts_are_read_where_the_index_ends(room: Searched) -> None:
    room.put(LETTER % (b"long", b"word " * 2_000 + b"needle"))
    room.put(LETTER % (b"short", b"needle"))
    room.put(LETTER % (b"none", b"nothing"))
    room.feed()
    assert room.search("BODY needle") == [1, 2]


def test_expunged_messages_leave_the_index(room: Searched) -> None:
    for n in range(10):
        room.put(LETTER % (b"letter %d" % n, b"word%d" % n))
    room.feed()
    room.expunge(2, 4, 6)
    room.feed()
    low, high = search_file.bounds(room.account.id)
    with Search(room.store.path.parent)._file.reading() as db:
        assert db is not None
        for table in ("head", "body"):
            ((count,),) = db.rows(
                f"SELECT count(*) FROM {table}_docsize WHERE id BETWEEN ? AND ?", (low, high)
            )
            assert count == 7
            found = db.rows(f'SELECT rowid FROM {table} WHERE {table} MATCH \'"let" OR "ord"\'')
            assert len(found) == 7
        rows = db.rows("SELECT numbers, texts FROM field WHERE name = 'subject' ORDER BY first")
    assert sum(len(numbers) // 4 for numbers, _ in rows) == 7
    assert b"letter 3" not in b"".join(texts for _, texts in rows)
    assert room.search("BODY word") == [1, 3, 5, 7, 8, 9, 10]


def test_an_account_that_is_removed_leaves_the_index(room: Searched) -> None:
    for n in range(5):
        room.put(LETTER % (b"letter %d" % n, b"word%d" % n))
    room.feed()
    room.write(lambda tx: tx.accounts.remove(room.account.id))
    room.feed()
    with Search(room.store.path.parent)._file.reading() as db:
        assert db is not None
        assert (room.account.id,) not in db.rows("SELECT account_id FROM fed")
        for table in ("field", "head_docsize", "body_words_docsize"):
            assert db.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_a_file_that_was_removed_is_not_made_by_who_only_reads(room: Searched) -> None:
    for n in range(3):
        room.put(LETTER % (b"letter %d" % n, b"needle"))
    room.feed()
    assert room.search("BODY needle") == [1, 2, 3]
    SearchFile(room.store.path.parent).discard()
    assert room.search("BODY needle") == [1, 2, 3]
    assert not (room.store.path.parent / "search.db").exists()
    room.feed()
    assert Search(room.store.path.parent).ask(room.account.id, []) is not None


def test_a_damaged_file_is_made_anew(room: Searched) -> None:
    for n in range(60):
        room.put(LETTER % (b"letter %d" % n, b"needle" if n % 2 else b"hay"))
    room.feed()
    room.feeder.close()  # so that the file is all there is
    path = room.store.path.parent / "search.db"
    path.write_bytes(b"x" * 8192)
    wanted = list(range(2, 61, 2))
    assert room.search("BODY needle") == wanted
    assert room.search("BODY needle") == wanted
    assert (room.store.path.parent / "search.db.damaged").exists()
    room.feeder = Feeder(room.store, SearchLimits())
    room.feed()
    assert room.search("BODY needle") == wanted
    assert Search(room.store.path.parent).ask(room.account.id, []) is not None


def with_document(data: bytes, filename: str) -> bytes:
    return (
        b'From: a@example.org\r\nSubject: see attached\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nplain text\r\n--b\r\nContent-Type: application/octet-stream\r\n"
        b'Content-Disposition: attachment; filename="' + filename.encode() + b'"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data) + b"--b--\r\n"
    )


def loosely(room: Searched, program: str) -> list[int]:
    """As SEARCH FUZZY does it."""
    return room.search(program, is_loose=True)


@pytest.mark.rfc(6203, "3")
def test_fuzzy_searches_find_documents(room: Searched) -> None:
    room.put(with_document(docx("The quarterly report", "Größe in Köln"), "a.docx"))
    room.put(LETTER % (b"x", b"nothing"))
    assert room.search("FUZZY BODY quarterly") == []
    room.feed()
    assert room.search("FUZZY BODY quarterly") == [1]
    assert room.search("FUZZY BODY {18+}\r\nreports quarterlys") == [1]
    assert room.search(f"FUZZY TEXT {quoted('größe köln')}") == [1]
    assert room.search("FUZZY SUBJECT quarterly") == []
    assert room.search("FUZZY HEADER subject quarterly") == []


@pytest.mark.rfc(6203, "3")
def test_loose_searches_find_words_in_any_order_and_in_documents(room: Searched) -> None:
    room.put(with_document(docx("The quarterly report", "Größe in Köln"), "a.docx"))
    room.put(with_document(pdf("quarterly figures"), "b.pdf"))
    room.put(with_document(b"quarterly nonsense", "c.exe"))
    room.put(LETTER % (b"report, the quarterly one", b"nothing"))
    room.put(LETTER % (b"report", b"the quarter is over"))
    room.feed()
    assert room.search("TEXT quarterly") == [4]
    assert loosely(room, "TEXT quarterly") == [1, 2, 4]
    assert loosely(room, "BODY {16+}\r\nreport quarterly") == [1]
    assert loosely(room, "TEXT {16+}\r\nreport quarterly") == [1, 4]
    assert loosely(room, "SUBJECT {16+}\r\nquarterly report") == [4]
    assert loosely(room, f"BODY {quoted('grösse')}") == [1]
    assert loosely(room, "BODY {14+}\r\nquarterly 2026") == []
    assert loosely(room, "NOT TEXT quarterly") == [3, 5]
    assert loosely(room, "BODY plain") == [1, 2, 3]


def test_documents_are_found_by_everybody_where_that_is_set(room: Searched) -> None:
    room.put(with_document(docx("quarterly report"), "a.docx"))
    room.put(LETTER % (b"x", b"nothing"))
    room.feed()
    assert room.search("BODY quarterly") == []
    options = StoreOptions(finds_attached=True)
    store, room.store = room.store, Store(room.store.path.parent, options=options)
    assert room.search("BODY quarterly") == [1]
    assert room.search("TEXT quart") == [1]
    assert room.search("SUBJECT quarterly") == []
    room.store.close()
    room.store = store


def test_documents_are_left_alone_where_that_is_set(room: Searched) -> None:
    room.put(with_document(docx("quarterly report"), "a.docx"))
    room.feeder.close()
    room.feeder = Feeder(room.store, SearchLimits(), reads_attachments=False)
    room.feed()
    assert loosely(room, "BODY quarterly") == []


def test_too_large_documents_are_passed_over(room: Searched) -> None:
    room.put(with_document(b"quarterly " * 100, "a.txt"))
    room.put(with_document(b"quarterly", "b.txt"))
    room.put(with_document(b"quarterly" + b" " * 300 + b"behind", "c.txt"))
    room.feeder.close()
    room.feeder = Feeder(room.store, SearchLimits(attachment_size=400, attachment_text=100))
    room.feed()
    assert loosely(room, "BODY quarterly") == [2, 3]
    assert loosely(room, "BODY behind") == []


@pytest.mark.parametrize(
    ("raw", "programs"),
    [
        (  # an encoded word that the next field ends: read as a whole, there is no field Y
            b"X: =?utf-8?q?open\r\nY: end?=\r\nSubject: a\r\n\r\n",
            ["HEADER y end", "HEADER x open", 'HEADER y ""', "TEXT end", "TEXT open"],
        ),
        (  # here TEXT does not find what HEADER finds
            b"X: =?utf-8?b?open\r\nYes: invoice?=\r\nSubject: a\r\n\r\n",
            ["HEADER yes invoice", "TEXT invoice", "TEXT yes", 'HEADER yes ""'],
        ),
        (  # a line that is no field belongs to the one before (RFC 7103 §7.2)
            b"Subject: first\r\nsecond line\r\nX: y\r\n\r\n",
            [f"HEADER subject {quoted('first second')}", f"SUBJECT {quoted('first second')}"],
        ),
        (b"Subject: " + b"long " * 400 + b"needle\r\n\r\n", ["SUBJECT needle", "HEADER subject needle"]),
        (b"Subject: x\r\n\r\nab\0cde in\0voice\r\n", [f"BODY {w}" for w in ("abc", "bcd", "cde", "invoice", "voice")]),
        (
            b"From: \xe4\xf6\xfc <a@b.c>\r\nX: \xd0\xbf\r\n\r\n\xff\xfe\r\n",
            [f"FROM {quoted('äöü')}", f"HEADER x {quoted('п')}"],
        ),
        (
            b'From: a@b.c, d@e.f\r\nTo: "x\ny" <x@y>\r\n\r\n',
            [f"FROM {quoted('a@b.c, d@e.f')}", f"TO {quoted('x y')}"],
        ),
        (b"no header at all", ["BODY header", "TEXT header", f"HEADER no {quoted('')}"]),
        (b"X-Y: one\r\nX-Y-Z: two\r\n\r\n", ["HEADER x-y two", "HEADER x-y one", "HEADER x-y-z two", 'HEADER x-q ""']),
        (b"Subject: =?utf-7?q?+2AA-abc?=\r\n\r\n", [f"SUBJECT {quoted('abc')}", f"TEXT {quoted('?abc')}"]),
    ],
)  # fmt: skip
def test_odd_messages_are_found_as_without_it(
    room: Searched, raw: bytes, programs: list[str]
) -> None:
    room.put(raw)
    room.put(LETTER % (b"other", b"text"))
    room.feed()
    for program in programs:
        room.check(program)
        room.check(f"NOT {program}")


def test_what_came_after_the_question_is_not_spoken_of() -> None:
    hint = prefilter.Hint(array("I", [2]), array("I", [2, 3]), upto=4)
    surely, perhaps = hint.on([1, 2, 3, 4, 5, 6])
    assert (f"{surely:06b}", f"{perhaps:06b}") == ("010000", "011011")


@given(st.lists(st.integers(1, 60), unique=True), st.lists(st.integers(1, 60), unique=True))
def test_bits_of_members(members: list[int], uids: list[int]) -> None:
    here = sorted(uids)
    found = prefilter._bits(sorted(members), here)
    assert select(found, here) == [uid for uid in here if uid in members]


def test_the_index_is_asked_once_for_all_mailboxes(room: Searched) -> None:
    for n in range(40):
        room.put(LETTER % (b"letter %d" % n, b"needle" if n % 2 else b"hay"))
    uids = list(range(1, 41))
    room.write(lambda tx: tx.messages.copy(room.inbox, uids[::4], room.other))
    room.feed()
    command = parse_program(Parser(b"BODY needle", ImapLimits()), "utf-8")
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        ask = Search.ask
        patch.setattr(Search, "ask", lambda self, *args: asked.append(args) or ask(self, *args))
        for box in (room.inbox, room.other, room.inbox):
            hints = room.store.read_now(
                lambda tx, box=box: command.hints.ask(tx, box, command.keys, None)
            )
            wanted = [uid for uid in uids if uid % 2 == 0] if box == room.inbox else []
            assert list(hints[0].perhaps) == wanted
    assert len(asked) == 1


def test_chunks_grow_with_what_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes at a time, few chunks are short, and each text is where its number says."""
    monkeypatch.setattr(search_file, "CHUNK", 32)
    file, index = SearchFile(tmp_path), Search(tmp_path)
    account, at, before = AccountId(7), 0, None
    low = MessageId(account << 32)
    for size in [1] * 40 + [3, 50, 1, 1, 200, 5, 9, 1] + [2] * 9:
        new = [
            Fields(
                MessageId(low | n), (b"from %d." % n if n % 3 else b"", b"", b"", b"", b"s%d." % n)
            )
            for n in range(at + 1, at + size + 1)
        ]
        at += size
        after = Fed(MessageId(low | at), low, ModSeq(0))
        file.feed([Portion(account, before, after, new)])
        before = after
        with file._file.reading() as db:
            assert db is not None
            sizes = [
                n
                for (n,) in db.rows(
                    "SELECT length(numbers) / 4 FROM field WHERE name = 'subject' ORDER BY first"
                )
            ]
        assert sum(sizes) == at
        assert max(sizes) <= 32
        assert len([n for n in sizes if n < 32]) <= 8
    for n in range(1, at + 1):
        for name, text, is_there in (
            ("subject", f"s{n}.", True),
            ("from", f"from {n}.", n % 3 > 0),
        ):
            hits = index.ask(account, [Sought((name,), text)])
            assert hits is not None
            assert list(hits[0].surely) == ([low | n] if is_there else [])
    index.close()
    file.close()
