"""A server for all attacks of a module; after them its log may hold refusals, but no bug."""

import json
from collections.abc import Iterator

import pytest

from outside.fixtures import full
from outside.server import Ours, running

__all__ = ["full"]


@pytest.fixture(scope="module")
def server() -> Iterator[Ours]:
    with running(count=12) as ours:
        yield ours
        lines = ours.log.read_text(errors="replace").splitlines()
    bugs = [line for line in lines if "Traceback" in line or is_error(line)]
    assert not bugs, "\n".join(bugs[:10])


def is_error(line: str) -> bool:
    try:
        return json.loads(line).get("level") in ("error", "critical")
    except ValueError:
        return True
