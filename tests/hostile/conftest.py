"""One server for all attacks that need no limits of their own."""

from collections.abc import Iterator

import pytest

from hostile.neighbour import besieged
from outside.fixtures import full
from outside.server import Ours

__all__ = ["full"]


@pytest.fixture(scope="session")
def server() -> Iterator[Ours]:
    with besieged() as ours:
        yield ours
