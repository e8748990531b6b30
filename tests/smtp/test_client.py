"""The client engine, as RFCs print sessions: what it says to which reply, and what it reports of each recipient."""

from pathlib import Path

import pytest

from smtp.sender import Sender
from transcript import play, transcripts

SCRIPTS = [
    pytest.param(script, chop, id=f"{script.stem}-{chop or 'whole'}")
    for script in transcripts("smtp/client")
    for chop in (0, 1, 7)
]


def swapped(text: str) -> str:
    """The transcript as the player wants it, to which the side under test is the server."""
    return "\n".join(
        ("S" if line[0] == "C" else "C") + line[1:] if line[:2] in ("C:", "S:") else line
        for line in text.split("\n")
    )


@pytest.mark.parametrize(("script", "chop"), SCRIPTS)
def test_transcript(script: Path, chop: int) -> None:
    text = script.read_text(encoding="utf-8")
    lines = text.split("\n")
    sender = Sender([line[3:] for line in lines if line.startswith("#> ")])
    play(swapped(text), sender, chop=chop)
    assert sender.results == [line[3:] for line in lines if line.startswith("#= ")]
