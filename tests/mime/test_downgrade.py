"""What leaves in another form says the same, part by part, octet for octet."""

import email
import mmap
import quopri
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.base.limits import MimeLimits
from mailserver.mime.decode import content
from mailserver.mime.downgrade import header_needs_utf8, to_7bit, to_8bit
from mailserver.mime.encode import Base64, QuotedPrintable
from mailserver.mime.layout import Part
from mailserver.mime.parts import scan
from mailserver.mime.scan import layout

MESSAGES = sorted((Path(__file__).parents[1] / "messages").glob("*.eml"))
IDENTITIES = ("7bit", "8bit", "binary")
EURO = "\N{EURO SIGN}".encode()


def tree(raw: bytes) -> Part:
    return layout(scan(raw, MimeLimits()))


def leaves(raw: bytes) -> list[tuple[str, str, bytes]]:
    """Type, name and decoded content of every part without parts."""
    found, todo = [], [tree(raw)]
    while todo:
        part = todo.pop()
        if part.children:
            todo.extend(reversed(part.children))
        elif part.subtype == "rfc822" and part.message is not None and part.encoding in IDENTITIES:
            todo.append(part.message)
        else:
            found.append(
                (f"{part.type}/{part.subtype}", part.filename, b"".join(content(raw, part)))
            )
    return found


def encodings(raw: bytes) -> list[str]:
    found, todo = [], [tree(raw)]
    while todo:
        part = todo.pop()
        found.append(part.encoding)
        todo.extend(reversed(part.children or ((part.message,) if part.message else ())))
    return found


def converted(how, raw: bytes) -> bytes:
    made = how(raw)
    if made is None:
        return raw
    out = b"".join(made.pieces())
    assert b"".join(made.pieces()) == out
    return out


# --- the encoders


@given(st.lists(st.binary(max_size=200)))
@pytest.mark.rfc(2045, "6.8")
def test_base64_keeps_every_octet(pieces):
    encode = Base64()
    said = b"".join([encode(piece, False) for piece in pieces] + [encode(b"", True)])
    raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + said
    assert b"".join(content(raw, tree(raw))) == b"".join(pieces)
    assert all(len(line) <= 76 for line in said.split(b"\r\n"))
    whole = Base64()
    assert whole(b"".join(pieces), True) == said


texts = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b" ", b"\t", b".", b"=", b"word", EURO, b"x" * 80, b"\0"]
    )
).map(b"".join)


@given(st.lists(texts | st.binary(max_size=100)))
@pytest.mark.rfc(2045, "6.7")
def test_quoted_printable_keeps_every_octet(pieces):
    encode = QuotedPrintable()
    said = b"".join([encode(piece, False) for piece in pieces] + [encode(b"", True)])
    raw = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + said
    assert b"".join(content(raw, tree(raw))) == b"".join(pieces)
    lines = said.split(b"\r\n")
    assert all(re.fullmatch(rb"[\t -~]{0,76}", line) for line in lines)
    assert not any(line.endswith((b" ", b"\t")) for line in lines)


@pytest.mark.rfc(2045, "6.7")
@pytest.mark.parametrize("size", range(68, 84))
@pytest.mark.parametrize("tail", [b"", b" ", b"\xe2\x82\xac", b"=", b"\t\t", b"\n"])
def test_where_lines_are_cut(size, tail):
    said = QuotedPrintable()(b"\0 " + b"x" * size + tail, True)
    assert all(len(line) <= 76 for line in said.split(b"\r\n"))
    assert quopri.decodestring(said) == b"\0 " + b"x" * size + tail


def test_a_line_without_end_does_not_wait_in_memory():
    encode = QuotedPrintable()
    sizes = [len(encode(b"x" * 5_000, False)) for _ in range(100)]
    assert max(sizes) < 40_000
    assert sum(sizes) > 450_000


# --- what changes, and what does not


def message(encoding: str, body: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
    if encoding:
        head += f"Content-Transfer-Encoding: {encoding}\r\n"
    return head.encode() + b"\r\n" + body


@pytest.mark.rfc(6152, "3")
def test_a_text_becomes_quoted_printable():
    raw = message("8bit", b"price: " + EURO + b"5, more or less\r\n")
    assert converted(to_7bit, raw) == message(
        "quoted-printable", b"price: =E2=82=AC5, more or less\r\n"
    )


def test_a_text_that_is_mostly_not_ascii_becomes_base64():
    raw = message("8bit", "каждый охотник\r\n".encode())
    out = converted(to_7bit, raw)
    assert encodings(out) == ["base64"]
    assert leaves(out) == leaves(raw)
    assert out.endswith(b"\r\n")


def test_an_octet_stream_becomes_base64():
    raw = message("8bit", b"almost only ascii\r\n" * 20 + b"\xff\r\n", "application/octet-stream")
    assert encodings(converted(to_7bit, raw)) == ["base64"]


def test_ascii_stays_as_it_is():
    assert to_7bit(message("8bit", b"plain\r\n")) is None
    assert to_8bit(message("8bit", EURO + b"\r\n")) is None


def test_a_missing_label_is_added():
    raw = b"Subject: x\r\n\r\n" + EURO + b" is here, in a text\r\n"
    out = converted(to_7bit, raw)
    assert out == (
        b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\n"
        b"=E2=82=AC is here, in a text\r\n"
    )


MIXED = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"preamble \xe2\x82\xac\r\n--b\r\n\r\nplain\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"f\xc3\xbcr alle, die es lesen\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Subject: y\r\nContent-Transfer-Encoding: 8bit\r\n\r\nna\xc3\xafve, but true\r\n--b--\r\nepilogue \xff\r\n"
)


@pytest.mark.rfc(2045, "6.4")
@pytest.mark.rfc(2046, "5.1.1", "5.2.1")
def test_a_multipart_and_an_embedded_message():
    out = converted(to_7bit, MIXED)
    assert out == (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        b"preamble ???\r\n--b\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"f=C3=BCr alle, die es lesen\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        b"Subject: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"na=C3=AFve, but true\r\n--b--\r\nepilogue ?\r\n"
    )


def signed(inner: bytes, label: bytes = b"8bit") -> bytes:
    return (
        b'Content-Type: multipart/signed; boundary=s; protocol="application/pgp-signature"\r\n'
        b"Content-Transfer-Encoding: " + label + b"\r\n\r\n--s\r\n" + inner + b"\r\n--s\r\n"
        b"Content-Type: application/pgp-signature\r\n\r\nsig\r\n--s--\r\n"
    )


@pytest.mark.rfc(1847, "2.1")
def test_what_is_signed_is_not_changed():
    with pytest.raises(Cannot, match="signed"):
        to_7bit(signed(b"\r\n" + EURO))
    with pytest.raises(Cannot, match="signed"):
        to_8bit(signed(b"Content-Transfer-Encoding: binary\r\n\r\n\0", b"binary"))


@pytest.mark.rfc(1847, "2.1")
def test_beside_what_is_signed_the_rest_is():
    inside = signed(b"Content-Transfer-Encoding: 8bit\r\n\r\nplain", b"8bit")
    raw = (
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + inside + b"\r\n--m\r\n\r\n"
        b"a footer f\xc3\xbcr alle\r\n--m--\r\n"
    )
    out = converted(to_7bit, raw)
    assert out.isascii()
    assert inside.partition(b"\r\n\r\n")[2] in out
    assert encodings(out) == ["7bit", "7bit", "8bit", "7bit", "quoted-printable"]


@pytest.mark.rfc(2046, "5.2.2.1")
def test_a_piece_of_a_message_is_not_encoded():
    raw = message("8bit", EURO + b"\r\n", 'message/partial; id="1"; number=1; total=2')
    with pytest.raises(Cannot, match="partial"):
        to_7bit(raw)


@pytest.mark.rfc(6532, "3.7")
def test_an_embedded_message_in_utf8_is_encoded_as_a_whole():
    inner = b"Subject: " + EURO + b"\r\n\r\nhello\r\n"
    out = converted(to_7bit, message("8bit", inner, "message/global"))
    assert out.isascii()
    assert encodings(out)[0] == "quoted-printable"
    part = tree(out)
    assert b"".join(content(out, part)) == inner


@pytest.mark.parametrize(
    "raw",
    [
        message("x-secret", EURO + b"\r\n"),
        message("8bit", EURO, "multipart/mixed; boundary=nowhere"),
        b"Content-Type: multipart/mixed; boundary=\xc3\xbc\r\n\r\n--\xc3\xbc\r\n\r\nx\r\n--\xc3\xbc--\r\n",
    ],
)
def test_what_is_not_understood_is_not_changed(raw):
    with pytest.raises(Cannot):
        to_7bit(raw)


def test_damaged_encodings_are_mended():
    raw = message("quoted-printable", b"caf=C3=A9 \xc3\xa9 and some more text\r\n")
    out = converted(to_7bit, raw)
    assert out.isascii()
    assert leaves(out) == leaves(raw)


# --- binary data


@pytest.mark.rfc(3030, "3")
@pytest.mark.rfc(2045, "2.8", "6.2")
@pytest.mark.parametrize(
    "body", [b"\0", b"a\rb", b"a\nb", b"x" * 999, b"end\r", b"\nstart", b"PNG\r\n\x1a\n\0" * 1000]
)
def test_binary_data_becomes_base64(body):
    raw = message("binary", body, "image/png")
    out = converted(to_8bit, raw)
    assert encodings(out) == ["base64"]
    assert leaves(out) == leaves(raw)
    assert to_8bit(out) is None


@pytest.mark.rfc(3030, "3")
@pytest.mark.parametrize("body", [EURO + b"\r\n", b"x" * 998 + b"\r\n", b"x" * 998, b""])
def test_what_is_only_called_binary_gets_another_name(body):
    raw = message("binary", body)
    assert converted(to_8bit, raw) == message("8bit", body)


@pytest.mark.parametrize("where", [0, 1, 2, 500, 999, 1_000, 262_143, 262_144, 262_145])
@pytest.mark.parametrize(("octets", "fits"), [(b"\r\n", True), (b"\r", False), (b"\n", False)])
def test_line_ends_at_the_edges_of_pieces(where, octets, fits):
    lines = (b"x" * 70 + b"\r\n") * 8_000
    start = lines[:where]
    if start.endswith(b"\r"):
        start = start[:-1] + b"x"
    raw = message("8bit", start + octets + b"x\r\n")
    assert (to_8bit(raw) is None) is fits


@pytest.mark.parametrize("size", [998, 999])
@pytest.mark.parametrize("before", [262_144 - 1_200, 262_144 - 600, 262_144 - 60])
def test_long_lines_over_the_edges_of_pieces(size, before):
    head = len(message("8bit", b""))
    body = b"y" * 98 + b"\r\n"
    filler = body * ((before - head) // 100)
    raw = message("8bit", filler + b"x" * size + b"\r\n")
    assert (to_8bit(raw) is None) is (size == 998)


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: a\0b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\0\r\n--b\r\n\r\nx\r\n--b--\r\n",
    ],
)
def test_binary_data_where_it_cannot_be(raw):
    with pytest.raises(Cannot):
        to_8bit(raw)


def test_a_mapped_file(tmp_path):
    path = tmp_path / "m"
    raw = message("8bit", (EURO + b" and much more than that\r\n") * 30_000)
    path.write_bytes(raw)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        made = to_7bit(mapped)
        assert made is not None
        pieces = list(made.pieces())
    assert max(map(len, pieces)) < 1_500_000
    assert leaves(b"".join(pieces)) == leaves(raw)
    assert made.estimate >= sum(map(len, pieces)) * 0.95


# --- SMTPUTF8


@pytest.mark.rfc(6531, "3.1")
@pytest.mark.rfc(6532, "3")
def test_whether_a_header_needs_smtputf8():
    assert not header_needs_utf8(MIXED)
    assert header_needs_utf8(b"Subject: " + EURO + b"\r\n\r\nx\r\n")
    named = MIXED.replace(b"text/plain; charset=utf-8", b"text/plain; name=" + EURO)
    assert header_needs_utf8(named)
    assert not header_needs_utf8(MIXED.replace(b"Subject: y", b"Subject: " + EURO))


# --- all kinds of mail


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize("how", [to_7bit, to_8bit])
def test_sample_messages(path, how):
    raw = path.read_bytes()
    try:
        out = converted(how, raw)
    except Cannot:
        return
    assert leaves(out) == leaves(raw)
    assert how(out) is None


def entity(draw, depth: int, boundaries: list[bytes]) -> bytes:
    kinds = ["text", "data", "bare"] + (["multi", "message"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    label = draw(
        st.sampled_from([b"", b"7bit", b"8bit", b"binary", b"BASE64", b"quoted-printable"])
    )
    cte = b"Content-Transfer-Encoding: " + label + b"\r\n" if label else b""
    body = draw(texts | st.binary(max_size=300))
    body = body.replace(b"--", b"==")
    if kind == "text":
        return b"Content-Type: text/plain; charset=utf-8\r\n" + cte + b"\r\n" + body
    if kind == "data":
        return b"Content-Type: image/png; name=a.png\r\n" + cte + b"\r\n" + body
    if kind == "bare":
        return b"\r\n" + body
    label = draw(st.sampled_from([b"", b"8bit", b"binary"]))
    cte = b"Content-Transfer-Encoding: " + label + b"\r\n" if label else b""
    if kind == "message":
        inside = b"Subject: z\r\n" + entity(draw, depth - 1, boundaries)
        return b"Content-Type: message/rfc822\r\n" + cte + b"\r\n" + inside
    boundary = b"b%d" % len(boundaries)
    boundaries.append(boundary)
    parts = [entity(draw, depth - 1, boundaries) for _ in range(draw(st.integers(1, 3)))]
    subtype = draw(st.sampled_from([b"mixed", b"alternative"]))
    out = (
        b"Content-Type: multipart/" + subtype + b"; boundary=" + boundary + b"-\r\n" + cte + b"\r\n"
    )
    out += draw(st.sampled_from([b"", b"preamble\r\n", EURO + b"\r\n"]))
    for part in parts:
        out += b"--" + boundary + b"-\r\n" + part + b"\r\n"
    return out + b"--" + boundary + b"---\r\n"


@st.composite
def messages(draw):
    return b"Subject: x\r\nMIME-Version: 1.0\r\n" + entity(draw, 3, [])


@given(messages())
def test_any_message_to_7bit(raw):
    try:
        out = converted(to_7bit, raw)
    except Cannot:
        return
    assert leaves(out) == leaves(raw)
    assert out.isascii()
    assert to_7bit(out) is None
    before, after = email.message_from_bytes(raw), email.message_from_bytes(out)
    assert [p.get_content_type() for p in before.walk()] == [
        p.get_content_type() for p in after.walk()
    ]


@given(messages())
def test_any_message_to_8bit(raw):
    try:
        out = converted(to_8bit, raw)
    except Cannot:
        return
    assert leaves(out) == leaves(raw)
    assert "binary" not in encodings(out)
    assert to_8bit(out) is None
    assert b"\0" not in out
    assert all(pair == b"\r\n" for pair in line_ends(out))


def line_ends(raw: bytes) -> list[bytes]:
    return re.findall(rb"\r\n|\r|\n", raw)


@given(st.binary(max_size=500) | texts)
def test_garbage(raw):
    for how in (to_7bit, to_8bit):
        try:
            out = converted(how, raw)
        except Cannot:
            continue
        assert leaves(out) == leaves(raw)


@given(messages(), st.integers(0, 3_000), st.integers(0, 3_000))
def test_messages_cut_and_joined(raw, a, b):
    low, high = sorted((a, b))
    broken = raw[:low] + raw[high:]
    for how in (to_7bit, to_8bit):
        try:
            out = converted(how, broken)
        except Cannot:
            continue
        assert [c for *_, c in leaves(out)] == [c for *_, c in leaves(broken)]
