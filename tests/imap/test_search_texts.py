"""What SEARCH reads of headers, envelopes and bodies, piece by piece."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.imap.searching.body import Needle, at_once, search
from mailserver.imap.searching.envelope import (
    Place,
    _read,
    address_text,
    addresses,
    cannot_have,
    runs,
    words_of,
)
from mailserver.imap.searching.fold import fold
from mailserver.imap.searching.header import field_values, header_text
from mailserver.mime.headers import decode_words
from mailserver.mime.scan import derive

# addresses


@pytest.mark.rfc(3501, "6.4.4", "7.4.2")
@pytest.mark.parametrize(
    ("field", "text"),
    [
        (b"a@b.example", "a@b.example\n<a@b.example>"),
        (b"Ann <A@B.example>", 'ann <a@b.example>\n"ann" <a@b.example>'),
        (b'"B, A" <a@b.c>, x@y', '"b, a" <a@b.c>, <x@y>'),
        (b"=?utf-8?q?J=C3=BCrgen?= <j@b.c>", fold("jürgen <j@b.c>")),
        (b'"say \\"hi\\"" <a@b.c>', 'say "hi" <a@b.c>'),
        (b"friends: a@b.c, d@e.f;", "friends:, a@b.c, d@e.f, ;"),
        (b"nobody:;", "nobody:, ;"),
        (b"caf\xc3\xa9 <a@b.c>", fold("café <a@b.c>")),
    ],
)
def test_addresses(field: bytes, text: str) -> None:
    envelope = derive(b"From: z@z\r\nTo: " + field + b"\r\nCc: other@example.org\r\n\r\n").envelope
    assert text in address_text(envelope, Place.TO)
    assert "other" not in address_text(envelope, Place.TO)
    assert "other" in address_text(envelope, Place.CC)
    assert address_text(envelope, Place.BCC) == "\n"


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@given(st.lists(names, min_size=1, max_size=3), st.data())
def test_the_quick_no_is_never_wrong(people: list[str], data: st.DataObject) -> None:
    """An envelope that has a text in an address is never passed over for lack of its words."""
    field = b", ".join(
        b'"%b" <u%d@example.org>' % (p.encode().replace(b"\\", b"").replace(b'"', b""), n)
        for n, p in enumerate(people)
    )
    envelope = derive(b"From: " + field + b"\r\n\r\n").envelope
    text = address_text(envelope, Place.FROM)
    start = data.draw(st.integers(0, len(text)))
    needle = text[start : start + data.draw(st.integers(1, 20))]
    if needle and "\n" not in needle:
        assert not cannot_have(envelope, words_of(needle))


@given(st.lists(names, min_size=1, max_size=3), st.data())
def test_the_plain_form_tells_what_is_in_either(people: list[str], data: st.DataObject) -> None:
    field = b", ".join(
        b"=?utf-8?b?%b?= <u%d@example.org>" % (base64.b64encode(p.encode()), n)
        if n % 2
        else b"%d@x" % n
        for n, p in enumerate(people, data.draw(st.integers(0, 1)))
    )
    (forms,) = addresses(derive(b"From: " + field + b"\r\n\r\n").envelope, (Place.FROM,))
    start = data.draw(st.integers(0, len(forms.text)))
    needle = forms.text[start : start + data.draw(st.integers(1, 30))]
    assert all(run in forms.plain for run in runs(needle))
    other = data.draw(names)
    for sought in (needle, other):
        if runs(sought) == (sought,):
            assert (sought in forms.plain) == (sought in forms.text)


PEOPLE = st.sampled_from(
    [
        *("a@b.c", "Ann NIL <A@B.c>", '"B, (A)" <a@b.c>', '"a\\"b" <c@d>', "x: y@z;"),
        *("=?utf-8?q?=41?= <q@r>", "é <e@e>", '"" <o@p>'),
    ]
)
FIELDS = st.sampled_from(["From", "To", "Cc", "Bcc", "Sender", "Reply-To"])


@given(
    st.lists(st.tuples(FIELDS, st.lists(PEOPLE, max_size=25)), max_size=6),
    st.sampled_from(["plain", "", 'with "quotes"', "a\tb", "x" * 1_100]),
)
def test_plain_envelopes_say_the_same_at_once(
    fields: list[tuple[str, list[str]]], subject: str
) -> None:
    lines = [f"{name}: {', '.join(people)}\r\n" for name, people in fields]
    envelope = derive(f"Subject: {subject}\r\n{''.join(lines)}\r\n".encode()).envelope
    assert addresses(envelope) == _read(envelope, tuple(Place))
    for place in Place:
        assert address_text(envelope, place) == _read(envelope, (place,))[0].text


@given(st.binary(max_size=80))
def test_whatever_stands_in_a_field_can_be_read(field: bytes) -> None:
    envelope = derive(b"From: " + field.replace(b"\n", b" ") + b"\r\n\r\n").envelope
    for place in Place:
        address_text(envelope, place)


# headers


@pytest.mark.rfc(5322, "2.2.3")
@pytest.mark.rfc(2047, "6.2")
@pytest.mark.parametrize(
    ("block", "name", "values"),
    [
        (b"Subject: Hello\r\n\r\n", b"SUBJECT", ["hello"]),
        (b"subject : a\r\nSubject: b\r\n\r\n", b"subject", ["a", "b"]),
        (b"X: one\r\n two\r\n\tthree\r\n\r\n", b"x", ["one two three"]),
        (b"X: one\n two\n\n", b"x", ["one two"]),
        (b"X: =?utf-8?q?=C3=84?=\r\n =?utf-8?b?w5Y=?= u\r\n\r\n", b"x", [fold("äö u")]),
        (b"X: \xc3\xa4\r\nY: \xe4\r\n\r\n", b"y", [fold("ä")]),
        (b"X:\r\n\r\n", b"x", [""]),
        (b"X-Y: a\r\nY: b\r\n\r\n", b"Y", ["b"]),
        (b"X: Y: a\r\n\r\n", b"y", []),
        (b"X: a\r\n\r\n", b"", []),
        (b"X: a\r\nY: b\r\n\r\n", b"X: a\r\nY", []),
        (b"", b"x", []),
    ],
)
def test_fields(block: bytes, name: bytes, values: list[str]) -> None:
    assert field_values(block, name) == values


def test_a_whole_header() -> None:
    block = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n aus\tWien\r\nX: \xfcber\r\nY: \xc3\xbcber\r\n\r\n"
    text = header_text(block)
    assert fold("Subject: Grüße aus Wien") in text
    assert fold("x: über") in text
    assert fold("y: über") in text


# bodies


def found(raw: bytes, *needles: Needle) -> set[Needle]:
    derived = derive(raw)
    out: set[Needle] = set()
    for _ in search(raw, derived.header_size, derived.layout, needles, out):
        pass
    return out


PART = (
    b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nlead\r\n--b\r\nX-Part: mark\r\n\r\n"
    b"end of one\r\n--b\r\n\r\nbegin of two\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nlast\r\n--b--\r\ntrail\r\n"
)


@pytest.mark.rfc(9051, "6.4.4")
@pytest.mark.parametrize(
    ("text", "in_body", "in_all"),
    [
        ("outer", False, True),
        ("mark", False, True),
        ("end of one", True, True),
        ("begin of two", True, True),
        ("inner", True, True),
        ("last", True, True),
        ("message/rfc822", False, True),
        ("lead", False, False),
        ("trail", False, False),
        ("onebegin", False, False),
        ("one\r\nbegin", False, False),
        ("", True, True),
    ],
)
def test_where_texts_are_found(text: str, in_body: bool, in_all: bool) -> None:
    body, everything = Needle(text, in_headers=False), Needle(text, in_headers=True)
    assert found(PART, body) == ({body} if in_body else set())
    assert found(PART, everything) == ({everything} if in_all else set())
    assert found(PART, body, everything, Needle("zzz", in_headers=True)) == (
        ({body} if in_body else set()) | ({everything} if in_all else set())
    )


@given(
    st.lists(st.sampled_from(["a", "b", "ä", "\r\n", "abc", "ß"]), min_size=1, max_size=200),
    st.data(),
)
def test_every_substring_is_found(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    raw = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()
    start = data.draw(st.integers(0, len(text) - 1))
    needle = fold(text[start : start + data.draw(st.integers(1, 30))])
    assert found(raw, Needle(needle, in_headers=False))


@given(st.text(st.characters(max_codepoint=127)).map(str.encode))
def test_plain_headers_read_as_decoding_them_would(block: bytes) -> None:
    whole = block
    for folding in (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t"):
        whole = whole.replace(folding, folding[-1:])
    assert header_text(block) == fold(decode_words(whole))


LETTERS = st.builds(
    lambda kind, encoding, text: b"Subject: some\r\n\tthing\r\n%b%b\r\n%b" % (kind, encoding, text),
    st.sampled_from(
        [
            b"",
            b"Content-Type: text/plain; charset=utf-8\r\n",
            b"Content-Type: text/plain; charset=utf-7\r\n",
            b'Content-Type: text/plain; name="thing.txt"\r\n',
            b"Content-Type: text/html\r\nContent-Disposition: inline\r\n",
            b"Content-Type: message/rfc822\r\n",
        ]
    ),
    st.sampled_from([b"", b"Content-Transfer-Encoding: base64\r\n"]),
    st.sampled_from([b"Some\tThing", b"s\xc3\xb6me", b"c29tZQ==", b"", b"A: some\r\n\r\nthing"]),
)


@given(LETTERS, st.sampled_from(["some", "some thing", "thing.txt", "subject", "h", "söme"]))
def test_a_plain_text_is_searched_at_once(raw: bytes, text: str) -> None:
    derived = derive(raw)
    needles = {Needle(fold(text), False), Needle(fold(text), True)}
    found: set[Needle] = set()
    for _ in search(raw, derived.header_size, derived.layout, needles, found):
        pass
    at_all = at_once(raw, derived.header_size, derived.layout, needles)
    assert at_all in (None, found)
    if raw.startswith(b"Subject: some\r\n\tthing\r\n\r\n"):
        assert (at_all is None) == (not raw.isascii())
