"""Whatever a client sends, it gets an answer in IMAP's terms, and the next client is served as if nothing had been."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.engine import Client, House, logged_in
from mailserver.base.limits import ImapLimits
from mailserver.imap import registry

registry.load()
NAMES = [name.encode() for name in registry.COMMANDS]
WORDS = [
    *(
        b"INBOX",
        b"bob@example.test",
        b"group:x@example.test",
        b"anyone",
        b"+lrs",
        b'"Other Users/bob@example.test/INBOX"',
        b"Shared/x",
        b"Archive",
        b"nowhere",
        b"a/b",
        b'"quo ted"',
        b'""',
        b"1",
        b"1:*",
        b"*",
        b"2,1",
        b"0",
        b"99999999999",
    ),
    *(
        b"()",
        b"(\\Seen)",
        b"\\Deleted",
        b"(a b)",
        b"+FLAGS",
        b"FLAGS.SILENT",
        b"FLAGS",
        b"BODY[]",
        b"(UID FLAGS)",
    ),
    *(
        b"BODY.PEEK[1.2.MIME]<0.5>",
        b"ENVELOPE",
        b"ALL",
        b"NOT",
        b"OR",
        b"CHARSET UTF-8",
        b"FROM x",
        b"UID 1:3",
    ),
    *(
        b"CATENATE (TEXT {3+}\r\nabc)",
        b'CATENATE (URL "/INBOX/;UID=1")',
        b"UTF8 (~{3+}\r\nabc)",
        b"~{3+}\r\na\0c",
        b"(BINARY.PEEK[1]<0.5> BINARY.SIZE[1])",
        b"PREVIEW (LAZY)",
        b"EMAILID M1",
        b"DEFLATE",
    ),
    *(
        b"{3}\r\nabc",
        b"{3+}\r\nabc",
        b"{0}\r\n",
        b"{4+}\r\n\x00\xff\r\n",
        b"%",
        b'"%"',
        b"RETURN (STATUS (MESSAGES))",
    ),
    *(
        b"(SUBSCRIBED)",
        b'" 7-Feb-1994 21:52:25 -0800"',
        b"1-Feb-1994",
        b"NIL",
        b"(",
        b")",
        b'"',
        b"\\",
        b"\x80",
    ),
    *(
        b"(MESSAGES UNSEEN)",
        b"(USE (\\Junk))",
        b"PLAIN",
        b"AGEAYg==",
        b"&AOk-",
        b"&",
        b"R&D",
        b"{",
        b"}",
        b"{99999}",
    ),
    *(
        b"(CONDSTORE)",
        b"(QRESYNC (1800000001 1))",
        b"(QRESYNC (1800000001 1 1:9 (1:2 1:2)))",
        b"(CHANGEDSINCE 1)",
        b"(CHANGEDSINCE 1 VANISHED)",
        b"(PARTIAL -1:-2)",
        b"(UNCHANGEDSINCE 1)",
        b"MODSEQ",
        b"$",
    ),
]
ENABLED = [b"", b"CONDSTORE", b"QRESYNC", b"IMAP4rev2", b"UIDONLY", b"QRESYNC UIDONLY IMAP4rev2"]
LINE = st.builds(
    lambda name, words, ends: b"t " + name + b"".join(b" " + w for w in words) + ends,
    st.sampled_from(NAMES) | st.binary(max_size=8),
    st.lists(st.sampled_from(WORDS), max_size=5),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b" \r\n", b"\r\nDONE\r\n"]),
)


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(
        Path(tmp_path_factory.mktemp("garbage")), ImapLimits(errors=1_000, auth_failures=1_000)
    )
    yield house
    house.close()


def leave(house: House, client: Client) -> None:
    if not client.closed:
        client.close()
    house.clients.remove(client)


@settings(max_examples=200)
@given(lines=st.lists(LINE, max_size=12), state=st.integers(0, 2), enabled=st.sampled_from(ENABLED))
def test_commands_made_of_pieces(
    shared_house: House, lines: list[bytes], state: int, enabled: bytes
) -> None:
    house = shared_house
    client = house.client() if state == 0 else logged_in(house, select="INBOX" * (state == 2))
    if state and enabled:
        assert b"e OK" in client(b"e ENABLE " + enabled + b"\r\n")
    for line in lines:
        said = client(line)
        assert b"SERVERBUG" not in said, line
        assert said == b"" or said.endswith(b"\r\n")
        if client.closed:
            break
    leave(house, client)
    other = logged_in(house)
    assert other(b"a NOOP\r\n") == b"a OK NOOP completed.\r\n"
    leave(house, other)


@given(data=st.lists(st.binary(max_size=300), max_size=5), is_open=st.booleans())
def test_octets(shared_house: House, data: list[bytes], is_open: bool) -> None:
    client = logged_in(shared_house) if is_open else shared_house.client()
    client(b"")
    for piece in data:
        said = client(piece)
        assert b"SERVERBUG" not in said
        if client.closed:
            break
    leave(shared_house, client)
