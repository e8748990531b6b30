from collections.abc import Iterator
from pathlib import Path

import pytest

from imap.engine import House
from newdb import new_databases

__all__ = ["house", "new_databases"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()
