"""PREVIEW and its LAZY (RFC 8970 §3, §4)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imap.mailroom import Mailroom
from mailserver.base.errors import TryLater
from mailserver.imap.conversation import Write
from mailserver.imap.fetching import batch


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    room = Mailroom(tmp_path)
    yield room
    room.close()


@pytest.mark.rfc(8970, "3.2")
def test_previews(room: Mailroom) -> None:
    room.put(b"Subject: one\r\n\r\nHello\r\nworld\r\n")
    room.put(b"Subject: two\r\nContent-Type: image/png\r\n\r\nxx")
    room.put("Subject: three\r\n\r\nGrüße\r\n".encode())
    reader = room.reader()
    wanted = (
        b'* 1 FETCH (PREVIEW "Hello world")\r\n* 2 FETCH (PREVIEW "")\r\n'
        b"* 3 FETCH (PREVIEW {7}\r\n%b)\r\na OK FETCH completed.\r\n" % "Grüße".encode()
    )
    assert reader.ask("FETCH 1:3 PREVIEW") == wanted
    assert [e for e in reader.effects if isinstance(e, Write)]
    assert reader.ask("FETCH 1:3 (PREVIEW)") == wanted
    assert not [e for e in reader.effects if isinstance(e, Write)]  # now they are kept
    said = reader.ask("UID FETCH 1 (preview (lazy) FLAGS PREVIEW)")
    assert said.startswith(b'* 1 FETCH (UID 1 FLAGS () PREVIEW "Hello world")')


@pytest.mark.rfc(8970, "4.1")
def test_lazy(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a batch has time for; those that are kept in any case."""
    monkeypatch.setattr(batch, "LAZY", 2)
    for n in range(4):
        room.put(b"Subject: x\r\n\r\nmessage %d\r\n" % n)
    reader = room.reader()
    assert b'"message 3"' in reader.ask("FETCH 4 PREVIEW")
    said = reader.ask("FETCH 1:* PREVIEW (LAZY)")
    assert said.count(b"PREVIEW NIL") == 1
    assert b"* 3 FETCH (PREVIEW NIL)" in said
    assert b'* 4 FETCH (PREVIEW "message 3")' in said
    assert b"NIL" not in reader.ask("FETCH 1:* PREVIEW")


def test_a_store_that_cannot_write_does_no_harm(room: Mailroom) -> None:
    room.put(b"Subject: x\r\n\r\nwords\r\n")
    reader = room.reader()
    reader.fails_to_write = TryLater("The disk is full.")
    said = reader.ask("FETCH 1 PREVIEW")
    assert said == b'* 1 FETCH (PREVIEW "words")\r\na OK FETCH completed.\r\n'


@pytest.mark.parametrize("items", ["PREVIEW (EAGER)", "PREVIEW ()", "PREVIEW(LAZY)"])
@pytest.mark.rfc(8970, "6")
def test_grammar(room: Mailroom, items: str) -> None:
    room.put(b"Subject: x\r\n\r\nwords\r\n")
    assert b"a BAD" in room.reader().ask(f"FETCH 1 {items}")
