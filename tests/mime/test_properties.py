"""What holds for every message, well made or not."""

import email
import email.policy
import mmap
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.limits import MimeLimits
from mailserver.mime import parts
from mailserver.mime.derived import Head
from mailserver.mime.layout import Part, find, pack, unpack
from mailserver.mime.scan import derive, derive_head
from mime.tree import walk
from mime.wire import parse_wire

FRAGMENTS = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"--", b"--b", b"--b--", b"--bb", b"--c", b"--c--",
        b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\r\n--c\r\n", b"\r\n--c--\r\n", b"\n--b\n", b"--b\r\n--b", b"x", b"text: ",
        b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: multipart/digest; boundary=c\r\n",
        b"Content-Type: multipart/mixed; boundary=bb\n", b"Content-Type: message/rfc822\r\n",
        b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: message/global\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: text/html; charset=\"a\\\"b\"; n*0=a; n*1*=b\r\n",
        b"Content-Disposition: attachment; filename=\"a", b"Content-Language: de, (x) en\r\n", b"Content-ID: <x>\r\n",
        b"From: a@b, \"c\" <d@e>, f: g@h;\r\n", b"To: <", b"Cc: (", b"Subject: =?utf-8?q?=C3=BC?= re: [x]\r\n",
        b"Date: Tue, 2 Jan 2024 10:11:12 +0100\r\n", b"References: <a@b> <c", b"Message-ID: <a@b>\r\n", b"\0", b"\xff",
        b"\"", b"Received: x\r\n", b"=?utf-7?Q?+2AA-?=", b"=?x?Q?=0A=00?=", b"Subject: ", b"Message-ID: <\0",
        b"; name=",
    ]
)  # fmt: skip
MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.lists(FRAGMENTS, max_size=40).map(b"".join),
    st.lists(st.one_of(FRAGMENTS, st.binary(max_size=10)), max_size=30).map(b"".join),
)
LIMITS = st.builds(
    MimeLimits,
    depth=st.integers(0, 4),
    parts=st.integers(1, 5),
    parameters=st.integers(0, 3),
    header_size=st.integers(0, 200),
    headers_size=st.integers(0, 300),
    addresses=st.integers(0, 3),
)


def check_offsets(part: Part, raw: bytes) -> None:
    for entity in walk(part):
        assert entity.header_start <= entity.body_start <= entity.end <= len(raw)
        last = entity.body_start
        for child in entity.children:
            assert last <= child.header_start
            assert child.end <= entity.end
            last = child.end
        if entity.message is not None:
            assert entity.message.header_start == entity.body_start
            assert entity.message.end == entity.end
        if entity.type == "text":
            assert entity.lines == raw[entity.body_start : entity.end].count(b"\n")
        assert (entity.type == "multipart") == bool(entity.children)


def check_structure(wire: list, part: Part) -> None:
    """BODY says of every part what the layout says."""
    todo = [(wire, part)]
    while todo:
        value, entity = todo.pop()
        if entity.children:
            for child in entity.children:
                assert isinstance(value[0], list)
                todo.append((value.pop(0), child))
            assert value[0].lower().decode("latin1") == entity.subtype
            continue
        if entity.type.isascii() and "\ufffd" not in entity.type:
            assert value[0].lower().decode("latin1")[:80] == entity.type
        assert value[6] == entity.end - entity.body_start
        if (entity.type, entity.subtype) == ("message", "rfc822"):
            assert len(value[7]) == 10
            todo.append((value[8], entity.message))
            assert value[9] == entity.lines
        elif entity.type == "text":
            assert value[7] == entity.lines


@given(MESSAGES, LIMITS | st.just(MimeLimits()))
def test_any_octets_give_a_consistent_answer(raw, limits):
    derived = derive(raw, limits)
    root = unpack(derived.layout)
    check_offsets(root, raw)
    assert derived.header_size == root.body_start
    assert pack(root) == derived.layout
    (envelope,) = parse_wire(derived.envelope)
    assert len(envelope) == 10
    (body,) = parse_wire(derived.body)
    check_structure(body, root)
    (bodystructure,) = parse_wire(derived.bodystructure)
    assert len(bodystructure) > len(parse_wire(derived.body)[0])
    assert len(walk(root)) <= max(limits.parts, 1)
    for text in (derived.subject, derived.base_subject, derived.sort_from, derived.message_id):
        text.encode()
        assert not set(text) & set("\0\r\n")
    assert all(-(2**63) <= key < 2**63 for key in derived.thread_keys)


@given(MESSAGES.filter(len))
def test_a_mapped_file_reads_like_bytes(raw):
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert derive(mapped) == derive(raw)


@given(MESSAGES, st.integers(1, 40))
def test_the_size_of_pieces_does_not_matter(raw, size):
    at_once = derive(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_PIECE", size)
        assert derive(raw) == at_once


# Well-made messages, built from a tree; Python's own parser has to agree about every part.

WORDS = st.text("abc xyz.-\t:", max_size=20).map(lambda s: s.encode())
LINES = st.lists(WORDS, min_size=1, max_size=4).map(b"\r\n".join)
LEAF = st.tuples(st.sampled_from([b"text/plain", b"text/html", b"image/png", b""]), LINES)
TREE = st.recursive(
    LEAF,
    lambda children: st.one_of(
        st.tuples(
            st.sampled_from([b"mixed", b"alternative", b"related"]),
            st.lists(children, min_size=1, max_size=3),
            LINES | st.none(),  # preamble
            LINES | st.none(),  # epilogue
        ),
        st.tuples(st.just(b"message/rfc822"), children, WORDS.map(bytes.strip)),
    ),
    max_leaves=8,
)


def build(tree: tuple, number: str = "") -> bytes:
    if tree[0] == b"message/rfc822":
        inner = build(tree[1], number + "m")
        return b"Content-Type: message/rfc822\r\n\r\nSubject: %b\r\n%b" % (tree[2], inner)
    if len(tree) == 2:
        kind, body = tree
        header = b"Content-Type: %b\r\n" % kind if kind else b""
        return header + b"\r\n" + body
    subtype, children, preamble, epilogue = tree
    boundary = b"=_%b_" % number.encode()
    out = [b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (subtype, boundary)]
    if preamble is not None:
        out.append(preamble + b"\r\n")
    for i, child in enumerate(children):
        part = build(child, f"{number}.{i}")
        out.append(b"--%b\r\n%b\r\n" % (boundary, part))
    out.append(b"--%b--" % boundary)
    if epilogue is not None:
        out.append(b"\r\n" + epilogue)
    return b"".join(out)


@given(TREE)
def test_pythons_parser_sees_the_same_parts(tree):
    raw = b"MIME-Version: 1.0\r\n" + build(tree)
    oracle = email.message_from_bytes(raw, policy=email.policy.compat32)
    todo = [(unpack(derive(raw).layout), oracle)]
    while todo:
        part, theirs = todo.pop()
        assert f"{part.type}/{part.subtype}" == theirs.get_content_type()
        if part.children:
            payload = theirs.get_payload()
            assert len(part.children) == len(payload)
            todo.extend(zip(part.children, payload, strict=True))
        elif part.message is not None:
            todo.append((part.message, theirs.get_payload(0)))
        else:
            assert raw[part.body_start : part.end].decode() == theirs.get_payload()


@given(TREE)
def test_every_part_is_found_by_its_number(tree):
    raw = build(tree)
    root = unpack(derive(raw).layout)
    todo: list[tuple[tuple[int, ...], Part, bool]] = [((), root, True)]
    while todo:
        section, part, is_message = todo.pop()
        if part.children:
            for i, child in enumerate(part.children, 1):
                assert find(root, (*section, i)) is child
                todo.append(((*section, i), child, False))
            assert find(root, (*section, len(part.children) + 1)) is None
        elif is_message:
            assert find(root, (*section, 1)) is part
            assert find(root, (*section, 2)) is None
            todo.append(((*section, 1), part, False))
        elif part.message is not None:
            todo.append((section, part.message, True))
        else:
            assert find(root, (*section, 1)) is None


@given(MESSAGES, LIMITS)
def test_the_header_alone_says_the_same(raw: bytes, limits: MimeLimits) -> None:
    whole = derive(raw, limits)
    assert derive_head(raw, limits) == Head(
        header_size=whole.header_size,
        subject=whole.subject,
        message_id=whole.message_id,
        hops=whole.hops,
    )
