"""The table of commands, and the transcripts of each."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from imap.engine import House, logged_in
from mailserver.imap import registry
from sasl.example import channel
from transcript import Line, play, read, transcripts


def test_table(golden: Callable[[str, str], None]) -> None:
    registry.load()
    golden("imap_commands.txt", registry.table())


def test_every_handler_has_one_shape() -> None:
    registry.load()
    for row in registry.COMMANDS.values():
        assert (row.run is None) != (row.talk is None), row.name


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="two handlers for NOOP"):
        registry.command("NOOP", state=registry.State.ANY)(lambda session, args, tx: iter(()))


@pytest.mark.parametrize("chop", [0, 1], ids=["", "by-octet"])
@pytest.mark.parametrize("script", transcripts("imap"), ids=lambda p: p.stem)
def test_transcript(script: Path, chop: int, house: House) -> None:
    play(script, _clients(script, house), chop=chop)


def _clients(script: Path, house: House) -> Mapping[str, Callable[[bytes], bytes]]:
    """A client for each label.

    One whose part begins with the server's greeting is a connection as it comes, without TLS if the label begins with
    "plain", and with every mechanism if with "scram".  All others have logged in, as alice or as whoever their label
    begins with, and then alice's INBOX has three messages, UIDs 1 to 3, that nobody has seen.
    """
    first: dict[str, Line] = {}
    for line in read(script.read_text(encoding="utf-8"), script.name):
        first.setdefault(line.label, line)
    fresh = {
        label for label, line in first.items() if (line.speaker, line.text[:4]) == ("S", "* OK")
    }
    if fresh != first.keys():
        for number in range(1, 4):
            house.deliver(b"Subject: message %d\r\n\r\nHello.\r\n" % number)
    clients = {
        label: house.client(is_tls=not label.startswith("plain"))
        if label in fresh
        else logged_in(house, label.rstrip("0123456789") or "alice")
        for label in first
    }
    for label in fresh:
        if label.startswith("scram"):
            clients[label].session.channel = channel("mail.example.test")
    return clients
