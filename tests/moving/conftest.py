from collections.abc import Iterator
from pathlib import Path

import pytest

from moving.household import Household


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    household = Household(tmp_path / "data")
    yield household
    household.close()
