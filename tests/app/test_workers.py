"""The running server as processes: workers, signals, restarts, locks, wake-ups.  Each test starts a real one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailserver.app.lock import running
from outside.server import free_ports

HERE = Path(__file__).parent
SRC = HERE.parent.parent / "src"


class Line:
    """A client that speaks in lines."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.sock.makefile("rwb")

    def ask(self, line):
        self.file.write(line + b"\r\n")
        self.file.flush()
        return self.hear()

    def hear(self):
        return self.file.readline().rstrip(b"\r\n")

    def close(self):
        self.file.close()
        self.sock.close()


class Server:
    """A server in a folder of its own; what it logs is in `lines`."""

    def __init__(self, folder, workers, *options):
        self.folder = folder
        (self.port,) = free_ports(1)
        self.config = folder / "mailserver.yaml"
        self.config.write_text(
            f"hostname: mail.example.test\nworkers: {workers}\nlog: {{file: log}}\n"
            f"listeners: {{submission: ['127.0.0.1:{self.port}'], smtp: [], submissions: [], imap: [],"
            " imaps: []}\n"
        )
        self.process = self.run("serve", *options)
        self.clients = []

    def run(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, HERE / "echo_server.py", *arguments, "--config", self.config],
            env={**os.environ, "PYTHONPATH": str(SRC)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def lines(self, name="log"):
        path = self.folder / name
        return [json.loads(line) for line in path.open()] if path.exists() else []

    def wait_for(self, event, count=1, name="log"):
        """The *count*-th line with this event."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            found = [line for line in self.lines(name) if line["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            assert self.process.poll() is None or event == "stopped", self.process.stderr.read()
            time.sleep(0.02)
        raise AssertionError(f"no {event!r} in {self.lines(name)}")

    def call(self):
        client = Line(self.port)
        self.clients.append(client)
        return client

    def pids(self, calls=20):
        """Which processes answered."""
        found = []
        for _ in range(calls):
            client = Line(self.port)
            found.append(int(client.ask(b"who")))
            client.close()
        return found

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
        return self.process.wait()


@pytest.fixture
def start(tmp_path):
    servers = []

    def begin(workers, *options):
        server = Server(tmp_path, workers, *options)
        servers.append(server)
        server.wait_for("ready")
        return server

    yield begin
    for server in servers:
        server.end()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(claim, seconds=15):
    until = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_one_worker_is_the_process_itself(start):
    server = start(1)
    assert set(server.pids(3)) == {server.process.pid}
    assert running(server.folder / "data" / "run") == server.process.pid
    assert server.end() == 0
    assert server.lines()[-1]["event"] == "stopped"
    assert running(server.folder / "data" / "run") is None
    assert not list((server.folder / "data" / "run").glob("*.sock"))


def test_connections_are_spread_over_the_workers(start):
    server = start(2)
    pids = server.pids(60)
    assert server.process.pid not in pids
    assert len(set(pids)) == 2
    assert min(pids.count(pid) for pid in set(pids)) >= 10


def test_a_killed_worker_is_replaced_and_nobody_else_notices(start):
    server = start(2)
    clients = [server.call() for _ in range(12)]
    pids = [int(client.ask(b"who")) for client in clients]
    victim = pids[0]
    others = [c for c, pid in zip(clients, pids, strict=True) if pid != victim]
    assert others
    os.kill(victim, signal.SIGKILL)
    assert clients[0].hear() == b""
    died = server.wait_for("worker died")
    assert (died["signal"], died["was"]) == ("SIGKILL", victim)
    for client in others:
        assert client.ask(b"still there") == b"still there"
    after = set(server.pids(40))
    assert len(after) == 2
    assert victim not in after


def test_leadership_moves_on(start):
    server = start(2)
    leader = server.wait_for("leading")["pid"]
    os.kill(leader, signal.SIGKILL)
    successor = server.wait_for("leading", 2)["pid"]
    assert successor != leader


def test_stop_finishes_what_runs_and_says_goodbye(start):
    server = start(2)
    idle, busy = server.call(), server.call()
    assert idle.ask(b"hello") == b"hello"
    assert busy.ask(b"hold") == b"holding"
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    assert idle.hear() == b"bye"
    assert busy.hear() == b"held"
    assert busy.hear() == b"bye"
    assert server.process.wait(20) == 0
    assert time.monotonic() - begun < 10
    with pytest.raises(ConnectionRefusedError):
        Line(server.port)
    assert server.lines()[-1]["event"] == "stopped"


def test_stop_cuts_off_who_does_not_finish(start):
    server = start(2, "--quick-grace")
    client = server.call()
    client.ask(b"stuck")
    server.signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    assert server.wait_for("connections cut off")["connections"] == 1
    assert client.hear() == b""


def test_sigint_to_the_whole_group_stops_too(start):
    server = start(2)
    pids = {*server.pids(30)}
    for pid in (server.process.pid, *pids):
        os.kill(pid, signal.SIGINT)
    assert server.process.wait(20) == 0
    assert not [line for line in server.lines() if line["event"] == "worker died"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_interrupt_ends_it_at_once(start, workers):
    server = start(workers)
    client = server.call()
    client.ask(b"stuck")
    begun = time.monotonic()
    for _ in range(2):
        for pid in {server.process.pid, *([] if workers == 1 else children(server.process.pid))}:
            os.kill(pid, signal.SIGINT)
        time.sleep(0.5)
    server.process.wait(10)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_reopens_the_log_and_loses_no_connection(start, workers):
    server = start(workers)
    client = server.call()
    client.ask(b"hello")
    (server.folder / "log").rename(server.folder / "log.1")
    server.signal(signal.SIGHUP)
    for n in range(1 + (workers > 1) * workers):
        server.wait_for("reloaded", n + 1)
    assert client.ask(b"still there") == b"still there"
    server.end()
    assert "stopped" in [line["event"] for line in server.lines()]
    assert "stopped" not in [line["event"] for line in server.lines("log.1")]


def test_sighup_takes_the_new_certificate_only_if_it_is_good(start):
    server = start(1)
    (server.folder / "data" / "tls" / "certificate.pem").write_text("broken")
    server.signal(signal.SIGHUP)
    failed = server.wait_for("reload failed")
    assert failed["what"] == "certificate"
    assert server.pids(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_server_on_the_same_data_is_refused(start, workers):
    server = start(workers)
    second = server.run("serve")
    out, err = second.communicate(timeout=20)
    assert (second.returncode, out) == (1, "")
    assert err == (
        f"a server runs with {server.folder}/data already (process {server.process.pid}); "
        "stop it first, or use another data_dir\n"
    )
    assert server.pids(2)


def test_workers_end_with_their_parent(start):
    server = start(2)
    pids = set(server.pids(30))
    server.signal(signal.SIGKILL)
    server.process.wait(10)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    wait_until(lambda: running(server.folder / "data" / "run") is None)
    assert "the parent process is gone" in [line["event"] for line in server.lines()]


def test_after_a_kill_of_everything_a_new_server_starts(start):
    server = start(2)
    for pid in (server.process.pid, *set(server.pids(30))):
        os.kill(pid, signal.SIGKILL)
    server.process.wait(10)
    wait_until(lambda: running(server.folder / "data" / "run") is None)
    (server.folder / "log").unlink()
    again = start(2)
    assert len(set(again.pids(30))) == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_every_worker_hears_what_a_command_changed(start, workers):
    server = start(workers)
    clients = {}
    while len(clients) < workers:
        client = server.call()
        clients.setdefault(client.ask(b"who"), client)
    for client in clients.values():
        assert client.ask(b"watch") == b"watching"
    command = server.run("domain", "add", "example.test")
    assert command.communicate(timeout=20) == ("domain example.test added\n", "")
    for client in clients.values():
        assert client.hear() == b"changed"


def test_an_address_in_use_is_a_refusal_with_its_name(start, tmp_path):
    server = start(1)
    other = tmp_path / "other"
    other.mkdir()
    config = other / "mailserver.yaml"
    config.write_text(server.config.read_text().replace("workers: 1", "workers: 2"))
    server.config = config
    second = server.run("serve")
    _, err = second.communicate(timeout=20)
    assert second.returncode == 1
    assert err == f"cannot listen on 127.0.0.1:{server.port}: Address already in use\n"
