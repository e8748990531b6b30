"""The table of commands, and the transcripts of each."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from imap.engine import House
from mailserver.imap import registry
from transcript import play, read, transcripts


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
    """A client for each label; one that begins with "plain" comes without TLS."""
    labels = {line.label for line in read(script.read_text(encoding="utf-8"), script.name)}
    return {label: house.client(is_tls=not label.startswith("plain")) for label in labels}
