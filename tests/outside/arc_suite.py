"""The test suite of ARC's authors, as Mail::DKIM carries it: fetched when first needed, kept beside the corpus.

It comes with the source of Debian's package; nothing of it enters the repository.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import IN_CI
from outside.corpus import succeeds, unpack

#: releases whose source has it; the one of Debian 12 has it too, but not every mirror keeps that
RELEASES = ("trixie", "bookworm", "sid")
FILE = "arc-draft-validation-tests.yml"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def folder() -> Path:
    """Where it lies: $MAILSERVER_ARC_SUITE or ~/.cache/mailserver-arc-suite."""
    place = os.environ.get("MAILSERVER_ARC_SUITE")
    return Path(place) if place else Path.home() / ".cache" / "mailserver-arc-suite"


def scenarios() -> list[dict[str, Any]]:
    """Its scenarios of chains to be judged; skips loudly, and fails in CI, when it is not to be had."""
    return [one for one in yaml.safe_load_all(_fetched().read_text("utf-8")) if one]


def _fetched() -> Path:
    target = folder()
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as lock:  # several test processes start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / FILE).exists():
            with tempfile.TemporaryDirectory(prefix="arc-suite-") as scratch:
                if not any(_from_debian(Path(scratch) / each, each, target) for each in RELEASES):
                    text = "needs ARC's test suite: Debian's mirror is not to be reached"
                    (pytest.fail if IN_CI else pytest.skip)(text)
    return target / FILE


def _from_debian(scratch: Path, release: str, target: Path) -> bool:
    """Whether it is in *target* now; the system's own lists of packages are neither read nor changed."""
    for name in ("lists/partial", "archives/partial"):
        (scratch / name).mkdir(parents=True)
    source = f"deb-src [signed-by={KEYRING}] http://deb.debian.org/debian {release} main\n"
    (scratch / "sources.list").write_text(source)
    options = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch,
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    get = ["source", "--download-only", "--tar-only", "libmail-dkim-perl"]
    if not (succeeds([*apt, "update"], scratch) and succeeds([*apt, *get], scratch)):
        return False
    for packed in scratch.glob("libmail-dkim-perl_*.orig.tar.gz"):
        unpack(packed, [FILE], scratch)
    for found in scratch.rglob(FILE):
        shutil.copy(found, target / FILE)
        return True
    return False
