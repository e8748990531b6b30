from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.store.store import Store
from store.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def store(world: World) -> Store:
    return world.store
