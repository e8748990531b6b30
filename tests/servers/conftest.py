"""A running server for SMTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.net.tls import ServerTls
from newdb import new_databases
from servers.site import Site, certificate, running

__all__ = ["new_databases", "site", "tls"]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def site(tmp_path: Path, tls: ServerTls) -> Iterator[Site]:
    with running(tmp_path, tls) as site:
        yield site
