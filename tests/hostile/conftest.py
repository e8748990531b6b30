"""One server for all attacks that need no limits of their own; after them its log may hold refusals, but no bug."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hostile.neighbour import is_alive
from outside.fixtures import full
from outside.server import Ours, running

__all__ = ["full"]

#: The usual limits, but for a neighbour who says EHLO for ever, and short pauses after wrong passwords and errors.
QUICK = (
    "limits:\n  smtp: {idle_commands: 1000000, error_delay_s: 0.05}\n  imap: {auth_delay_s: 0.05}\n"
)


@contextmanager
def besieged(settings: str = QUICK, count: int = 16) -> Iterator[Ours]:
    """A server that has to be there afterwards, with a clean log."""
    with running(count=count, settings=settings) as ours:
        yield ours
        assert is_alive(ours)
        lines = ours.log.read_text(errors="replace").splitlines()
    bugs = [line for line in lines if "Traceback" in line or _is_error(line)]
    assert not bugs, "\n".join(line[:3000] for line in bugs[:10])


def _is_error(line: str) -> bool:
    try:
        return json.loads(line).get("level") in ("error", "critical")
    except ValueError:
        return True


@pytest.fixture(scope="session")
def server() -> Iterator[Ours]:
    with besieged() as ours:
        yield ours
