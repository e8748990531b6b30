"""What scripts/serve sets up and says."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import try_it

ROOT = Path(__file__).parents[2]
ADDRESSES = ["alice@example.test", "bob@example.test"]


@pytest.fixture
def trial(tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith("MAILSERVER_")]:
        monkeypatch.delenv(name)
    made = try_it.trial(try_it.arguments(["--data", str(tmp_path / "data")]))
    try_it.prepare(made)
    return made


def populate(trial: try_it.Trial) -> dict[str, str]:
    return try_it.populate(trial, Path(str(try_it.settings(trial)["data_dir"])))


def test_an_interrupted_first_run_is_finished_and_then_nothing_changes(trial):
    users = populate(trial)
    assert list(users) == ADDRESSES
    assert all(len(word) >= 16 for word in users.values())
    assert len(set(users.values())) == 2
    assert trial.passwords_file.stat().st_mode & 0o777 == 0o600
    trial.ask("user", "remove", ADDRESSES[1])
    assert populate(trial) == users
    assert try_it.listed(trial, "user", "address") == set(ADDRESSES)
    assert populate(trial) == users


def test_a_database_that_somebody_has_filled_is_left_alone(trial):
    trial.ask("domain", "add", "example.org")
    trial.ask(
        "user", "add", "carol@example.org", "--password-stdin", given="correct horse battery\n"
    )
    assert populate(trial) == {"carol@example.org": ""}
    assert not trial.passwords_file.exists()
    text = try_it.screen(trial, {"carol@example.org": ""}, {"imap": [("", 2143)]}, None)
    assert try_it.UNKNOWN in text
    assert "--user carol@example.org:PASSWORD" in text or "'PASSWORD'" in text


def test_a_configuration_that_is_there_is_not_written(trial):
    trial.config.write_text("data_dir: .\n# mine\n")
    try_it.prepare(trial)
    assert "# mine" in trial.config.read_text()


def test_a_wrong_configuration_is_said_and_nothing_is_made(trial):
    trial.config.write_text("data_dir: .\nlistners: {}\n")
    with pytest.raises(try_it.Stop, match="listners"):
        try_it.serve(trial)
    assert not trial.passwords_file.exists()


def test_ports_from_flags_stand_above_the_file(trial, tmp_path):
    given = ["--data", str(tmp_path / "data"), "--imap-port", "3143", "--host", "127.0.0.2"]
    found = try_it.endpoints(try_it.settings(try_it.trial(try_it.arguments(given))))
    assert found["imap"] == [("127.0.0.2", 3143)]
    assert found["imaps"] == [("127.0.0.2", 2993)]


def test_endpoints():
    settings = {
        "listeners.imap": [":143", "[::1]:2143", "127.0.0.1:2143"],
        "listeners.lmtp": ["unix:/run/lmtp"],
        "log.file": None,
    }
    found = try_it.endpoints(settings)
    assert found == {"imap": [("", 143), ("::1", 2143), ("127.0.0.1", 2143)], "lmtp": []}
    assert try_it.reach(found["imap"]) == ("127.0.0.1", 143)
    assert try_it.reach([]) is None


def test_a_taken_port_is_named_with_the_way_out(trial):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(try_it.Stop) as stop:
            try_it.refuse_taken_ports(trial, {"imap": [("127.0.0.1", port)]})
    assert f"Port {port} for imap" in str(stop.value)
    assert f"--imap-port {port + 1000}" in str(stop.value)
    assert str(trial.config) in str(stop.value)


def test_without_curl_python_does_it(monkeypatch):
    monkeypatch.setattr(try_it.shutil, "which", lambda name: None)
    assert try_it.send_line("a@x", "pw", "b@x", "127.0.0.1:25").startswith(
        'python3 -c "import smtplib'
    )
    assert try_it.read_line("b@x", "pw", "127.0.0.1:143").startswith('python3 -c "import imaplib')


@contextmanager
def served(folder: Path, ports: dict[str, int]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The server as scripts/serve runs it, and its screen; stopped as Ctrl-C stops it."""
    flags = [f"--{name}-port={port}" for name, port in ports.items()]
    process = subprocess.Popen(
        [sys.executable, ROOT / "tools/try_it.py", "--data", folder, *flags],
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("  manage"):
                break
        yield "".join(said), process
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) in {0, -signal.SIGINT, 130}, "".join(said) + process.stdout.read()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def shell(line: str) -> str:
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30
    ).stdout


def python_lines(screen: str) -> list[str]:
    """The lines for a machine without curl, for the same users and ports."""
    known = dict(re.findall(r"(\S+@\S+)   (\S+)", screen))
    sending, reading = (
        re.search(rf"(\S+)   {p} with STARTTLS", screen)[1] for p in ("SMTP", "IMAP")
    )
    (alice, hers), (bob, his) = known.items()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(try_it.shutil, "which", lambda name: None)
        return [try_it.send_line(alice, hers, bob, sending), try_it.read_line(bob, his, reading)]


@pytest.mark.needs("curl")
def test_the_lines_on_the_screen_work_and_a_second_run_finds_everything(tmp_path):
    ports = dict(zip(try_it.PORTS, free_ports(len(try_it.PORTS)), strict=True))
    with served(tmp_path / "data", ports) as (screen, _):
        line = dict(re.findall(r"^  (send|read) +((?:printf|curl).*)$", screen, re.M))
        assert shell(line["send"]) == ""
        assert "It works." in shell(line["read"])
        by_python = python_lines(screen)
        shell(by_python[0].replace("It works.", "By Python."))
        assert "By Python." in shell(by_python[1])
        again = subprocess.run(
            [sys.executable, ROOT / "tools/try_it.py", "--data", tmp_path / "data"]
            + [f"--{name}-port={port}" for name, port in ports.items()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert "cannot be used" in again.stderr
    with served(tmp_path / "data", ports) as (second, _):
        assert second == screen
        assert "By Python." in shell(line["read"])
