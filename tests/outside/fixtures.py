"""Fixtures of the outside tests: one server for a test session, a fresh account for each test.

MAILSERVER_UNDER_TEST=debian puts Debian's Postfix and Dovecot in our place: a test that they fail is a wrong test.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from outside import corpus, debian
from outside.server import Account, Server, running

IS_STAND_IN = os.environ.get("MAILSERVER_UNDER_TEST") == "debian"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
IS_FULL = os.environ.get("MAILSERVER_TESTS") == "full"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server under test, with its accounts, listening on loopback."""
    if IS_STAND_IN:
        peer = debian.Debian()
        peer.start()
        yield peer
        peer.stop()
    else:
        with running() as ours:
            yield ours


@pytest.fixture
def account(server: Server) -> Account:
    """An account that no other test uses."""
    return server.account()


@pytest.fixture
def other(server: Server) -> Account:
    """A second account that no other test uses."""
    return server.account()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[debian.Debian]:
    """Debian's Dovecot alone, for comparison."""
    reason = debian.why_not()
    if reason:
        (pytest.fail if IN_CI else pytest.skip)(f"needs dovecot postfix: {reason}")
    peer = debian.Debian(with_postfix=False)
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture(scope="session")
def samples() -> list[corpus.Sample]:
    """The corpus: at least 1,000 messages, real ones wherever the registries answer."""
    try:
        return corpus.load()
    except RuntimeError as error:
        (pytest.fail if IN_CI else pytest.skip)(f"needs real mail: {error}")


@pytest.fixture(scope="session")
def full() -> Callable[[int, int], int]:
    """`full(short, long)`: the amount of work: *long* with MAILSERVER_TESTS=full, else *short*."""
    return lambda short, long: long if IS_FULL else short
