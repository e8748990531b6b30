import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sieve.sieve_tools import Pigeonhole


@pytest.fixture(scope="session")
def pigeonhole() -> Iterator[Pigeonhole]:
    """It runs as nobody, who must get there: not below pytest's own folder, which other runs of pytest close."""
    folder = Path(tempfile.mkdtemp(prefix="pigeonhole-"))
    uid, gid = (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())
    yield Pigeonhole(folder, uid, gid)
    shutil.rmtree(folder, ignore_errors=True)
