"""Commands that ask, at a real terminal."""

import os
import pty
import select
import sys
import termios
import time
from pathlib import Path

import pytest

from mailserver.directory.passwords import verify
from mailserver.store.store import Store

SRC = Path(__file__).parents[2] / "src"
LIMIT_S = 60.0


class Terminal:
    """`mailserver` on a terminal of its own; what it shows is in `shown`."""

    def __init__(self, folder, *arguments):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            command = [sys.executable, "-m", "mailserver", *arguments]
            os.execve(sys.executable, command, {"PYTHONPATH": str(SRC), "TERM": "dumb"})

    def wait_for(self, text, times=1):
        until = time.monotonic() + LIMIT_S
        while self.shown.count(text) < times:
            assert time.monotonic() < until, self.shown
            self._read()

    def type(self, text):
        os.write(self.fd, f"{text}\n".encode())

    def type_hidden(self, text):
        """Once the terminal shows nothing: what was typed before that is thrown away."""
        until = time.monotonic() + LIMIT_S
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            assert time.monotonic() < until, self.shown
            time.sleep(0.01)
        self.type(text)

    def status(self):
        """Its exit status, once all it shows has been read."""
        while self._read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self):
        assert select.select([self.fd], [], [], LIMIT_S)[0], f"silent after: {self.shown}"
        try:
            data = os.read(self.fd, 10_000)
        except OSError:  # it has ended
            return False
        self.shown += data.decode()
        return bool(data)


@pytest.fixture
def example(cli):
    assert cli("domain add example.test").status == 0
    return cli


def test_a_password_is_asked_for_twice_and_never_shown(example, tmp_path):
    terminal = Terminal(tmp_path, "user", "add", "alice@example.test")
    terminal.wait_for("Password: ")
    terminal.type_hidden("correct horse")
    terminal.wait_for("confirmation: ")
    terminal.type_hidden("correct hoarse")
    terminal.wait_for("do not match")
    terminal.wait_for("Password: ", times=2)
    terminal.type_hidden("correct horse")
    terminal.wait_for("confirmation: ", times=2)
    terminal.type_hidden("correct horse")
    assert terminal.status() == 0
    assert "user alice@example.test added" in terminal.shown
    assert "horse" not in terminal.shown
    store = Store(tmp_path / "data")
    store.open()
    found = store.read_now(lambda tx: tx.accounts.credentials("alice", "example.test"))
    store.close()
    assert verify(found.password_hash, "correct horse")


@pytest.mark.parametrize(("answer", "status", "is_left"), [("n", 1, True), ("y", 0, False)])
def test_removal_is_asked_about(example, tmp_path, answer, status, is_left):
    example("user add alice@example.test --password-stdin", "long enough")
    terminal = Terminal(tmp_path, "user", "remove", "alice@example.test")
    terminal.wait_for("Remove alice@example.test with 0 messages? [y/N]: ")
    terminal.type(answer)
    assert terminal.status() == status
    assert (example("user show alice@example.test").status == 0) is is_left


def test_yes_asks_nothing(example, tmp_path):
    example("user add alice@example.test --password-stdin", "long enough")
    assert Terminal(tmp_path, "user", "remove", "alice@example.test", "--yes").status() == 0
    assert example("user show alice@example.test").status == 1
