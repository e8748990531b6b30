"""The test suite of the SPF community, and pyspf, which carries it: fetched when first needed, kept beside the corpus.

Both come from PyPI, or from Debian's package where PyPI cannot be reached; nothing of them enters the repository.
"""

import fcntl
import gzip
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from conftest import IN_CI
from outside.corpus import succeeds, unpack

RELEASE = "2.0.14"
FILES = ("spf.py", "rfc7208-tests.yml", "rfc4408-tests.yml")


def folder() -> Path:
    """Where it lies: $MAILSERVER_SPF_SUITE or ~/.cache/mailserver-spf-suite."""
    place = os.environ.get("MAILSERVER_SPF_SUITE")
    return Path(place) if place else Path.home() / ".cache" / "mailserver-spf-suite"


def scenarios(name: str) -> list[dict[str, Any]]:
    """The scenarios of a file of the suite; skips loudly, and fails in CI, when it is not to be had."""
    return [one for one in yaml.safe_load_all((_fetched() / name).read_text("utf-8")) if one]


def pyspf() -> ModuleType:
    """pyspf itself, as a module of its own."""
    spec = importlib.util.spec_from_file_location("pyspf_peer", _fetched() / "spf.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fetched() -> Path:
    target = folder()
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as lock:  # several test processes start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((target / name).exists() for name in FILES):
            with tempfile.TemporaryDirectory(prefix="spf-suite-") as scratch:
                if not (_from_pypi(Path(scratch)) or _from_debian(Path(scratch))):
                    text = "needs pyspf and its test suite: neither PyPI nor Debian's mirror is to be reached"
                    (pytest.fail if IN_CI else pytest.skip)(text)
                for name in FILES:
                    shutil.copy(next(Path(scratch).rglob(name)), target / name)
    return target


def _from_pypi(scratch: Path) -> bool:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    if not succeeds([*pip, f"pyspf=={RELEASE}"], scratch):
        return False
    unpack(next(scratch.glob("pyspf-*.tar.gz")), FILES, scratch)
    return True


def _from_debian(scratch: Path) -> bool:
    if not shutil.which("dpkg-deb") or not succeeds(
        ["apt-get", "-qq", "download", "python3-spf"], scratch
    ):
        return False
    if not succeeds(["dpkg-deb", "-x", str(next(scratch.glob("*.deb"))), "."], scratch):
        return False
    for packed in list(scratch.rglob("*.yml.gz")):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    return True
