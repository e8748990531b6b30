"""Capabilities that the configuration withholds are not announced, and work all the same."""

from pathlib import Path

from imap.engine import House, logged_in
from mailserver.base.limits import ImapLimits


def test_what_is_withheld_is_not_announced(tmp_path: Path) -> None:
    house = House(tmp_path, limits=ImapLimits(withheld=("uidonly", "MOVE", "IMAP4rev2")))
    try:
        client = logged_in(house)
        said = client(b"a CAPABILITY\r\n").split()
        assert b"IMAP4rev1" in said
        assert not {b"UIDONLY", b"MOVE", b"IMAP4rev2"} & set(said)
        assert b"UIDPLUS" in said
        assert b"* ENABLED UIDONLY" in client(b"b ENABLE UIDONLY\r\n")
    finally:
        house.close()
