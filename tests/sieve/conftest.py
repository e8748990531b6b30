import os
from pathlib import Path

import pytest

from sieve.sieve_tools import Pigeonhole


@pytest.fixture(scope="session")
def pigeonhole(tmp_path_factory) -> Pigeonhole:
    folder: Path = tmp_path_factory.mktemp("pigeonhole")
    for parent in [folder, *folder.parents]:  # it runs as nobody, who must get there
        if parent.stat().st_uid == os.getuid() and parent.stat().st_mode & 0o5 != 0o5:
            parent.chmod(parent.stat().st_mode | 0o55)
    uid, gid = (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())
    return Pigeonhole(folder, uid, gid)
