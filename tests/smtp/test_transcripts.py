"""Every command and every refusal of the engine, as RFCs print sessions."""

from pathlib import Path

import pytest

from smtp.desk import BINARY, LMTP, MX, SMALL, SUBMISSION, Desk, with_mechanisms
from transcript import play, transcripts

PLACES = {
    "mx": lambda: Desk(MX),
    "binary": lambda: Desk(BINARY),
    "lmtp": lambda: Desk(LMTP),
    "submission": lambda: Desk(SUBMISSION, is_tls=True),
    "submission_no_tls": lambda: Desk(SUBMISSION),
    "mechanisms": with_mechanisms,
    "limits": lambda: Desk(SMALL, cleartext=True),
}
SCRIPTS = [
    pytest.param(place, script, chop, id=f"{place}-{script.stem}-{chop or 'whole'}")
    for place in PLACES
    for script in transcripts(f"smtp/{place}")
    for chop in (0, 1, 7)
    # what is pipelined behind STARTTLS is discarded, so there pieces do matter
    if not chop or script.stem != "auth_without_tls"
]


@pytest.mark.parametrize(("place", "script", "chop"), SCRIPTS)
def test_transcript(place: str, script: Path, chop: int) -> None:
    play(script, PLACES[place](), chop=chop)
