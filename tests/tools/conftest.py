"""A small house to plant mistakes in: the project's own rules and tools, its rooms empty."""

import shutil
from pathlib import Path

import pytest

import rfc_index
import rooms
from check import STATIC, Result, run

ROOT = Path(__file__).parents[2]

ID = '''\
"""Counts.

Spec: RFC 9051 §2.3.1.1.  Status: complete.
"""


def next_uid(uid: int) -> int:
    """UIDs only grow (RFC 9051 §2.3.1.1)."""
    return uid + 1
'''
TEST = """\
import pytest

from mailserver.base.counts import next_uid


@pytest.mark.rfc(9051, "2.3.1.1")
def test_uids_grow():
    assert next_uid(1) == 2
"""


class House:
    """A copy of the rules and the rooms' front doors under *root*, with one module, one test, one citation."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (
            "pyproject.toml",
            "requirements/debian.txt",
            "tests/transcript.py",
            "tests/conftest.py",
        ):
            self.write(name, (ROOT / name).read_text())
        shutil.copytree(
            ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__")
        )
        for init in [
            ROOT / "src/mailserver/__init__.py",
            *(ROOT / "src/mailserver").glob("*/__init__.py"),
        ]:
            doc = init.read_text().partition('"""')[2].partition('"""')[0]
            self.write(str(init.relative_to(ROOT)), f'"""{doc}"""\n')
        self.write("src/mailserver/base/counts.py", ID)
        self.write("tests/base/test_counts.py", TEST)
        self.write("docs/rfc/index.tsv", "9051\tpartial\tIMAP4rev2\n")
        assert rfc_index.main(["--root", str(root)]) == 0
        assert rooms.main(["--root", str(root)]) == 0

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def append(self, name: str, text: str) -> None:
        self.write(name, (self.root / name).read_text() + text)

    def step(self, name: str) -> Result:
        """One of the steps of `make check`, run here."""
        return run(name, STATIC[name], self.root)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
