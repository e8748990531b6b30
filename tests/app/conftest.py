"""The command line inside the test's process, on a data folder of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import cheap
from mailserver.app.main import main
from newdb import new_databases

__all__ = ["Answer", "Cli", "cli", "new_databases"]


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Answer]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("user add alice@example.test --password-stdin", "secret")`."""
    for name in ("MAILSERVER_CONFIG", "MAILSERVER_DATA_DIR", "MAILSERVER_HOSTNAME"):
        monkeypatch.delenv(name, raising=False)
    cheap.secrets(monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mailserver.yaml").write_text("hostname: mail.example.test\n")

    def run(command: str, given: str | bytes = "") -> Answer:
        result = CliRunner().invoke(main, command.split(), input=given, prog_name="mailserver")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run
