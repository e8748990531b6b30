"""A server under test: ours as a subprocess, seen only through its ports, its command line and its process tree."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mailserver.base.rate_limits import AccountRates

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "example.test"
PASSWORD = "correct horse 7"
PORTS = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps")


@dataclass(frozen=True, slots=True)
class Account:
    address: str
    password: str


class Server(Protocol):
    """What a test may know.

    roots: process ids whose trees are the server.  delivers_at_once: mail is in the mailbox when its 250 is said.
    """

    name: str
    host: str
    delivers_at_once: bool
    ports: Mapping[str, int]
    accounts: list[Account]

    def roots(self) -> list[int]: ...
    def account(self) -> Account: ...
    def stop(self) -> None: ...


def addresses(count: int, domain: str = DOMAIN) -> list[Account]:
    """Accounts every server under test has: alice, bob, then u02, u03 ..."""
    names = ["alice", "bob", *(f"u{n:02d}" for n in range(2, count))]
    return [Account(f"{name}@{domain}", PASSWORD) for name in names[:count]]


def free_ports(count: int) -> list[int]:
    """Loopback ports in 22000-31999, where no client's own port lies, that nobody listens on.

    Processes that run side by side draw from different parts.
    """
    found: list[int] = []
    start = 22_000 + os.getpid() * 37 % 9_900
    for port in itertools.chain(range(start, 32_000), range(22_000, start)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free loopback port between 22000 and 31999")


def wait_port(
    port: int,
    alive: subprocess.Popen[bytes] | None = None,
    limit_s: float = 30,
    host: str = "127.0.0.1",
) -> None:
    """Return once *host*, of this machine, accepts at *port*; raise when *alive* has ended or the time is over."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if alive is not None and alive.poll() is not None:
            raise RuntimeError(
                f"the server ended with status {alive.returncode} before it listened"
            )
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {host}:{port} after {limit_s} s")


@dataclass
class Ours:
    """`mailserver serve` in a folder of its own.

    settings: further lines of the configuration file.  source: whose code it runs.  The folder stays until
    `discard()`, so that a killed server can be started again on what it left.
    """

    workers: str = "1"
    settings: str = ""
    count: int = 150
    domain: str = DOMAIN
    name: str = "mailserver"
    host: str = "127.0.0.1"
    delivers_at_once: bool = True
    source: Path = ROOT / "src"
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="mailserver-test-")))
    ports: dict[str, int] = field(
        default_factory=lambda: dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    )
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.accounts = addresses(self.count, self.domain)
        self._next = iter(self.accounts)
        listeners = "".join(
            f'  {name}: ["127.0.0.1:{port}"]\n' for name, port in self.ports.items()
        )
        others = "".join(f"  {name}: []\n" for name in ("managesieve", "http", "https"))
        self.config.write_text(
            f"data_dir: {self.data}\nhostname: mail.{self.domain}\nworkers: {self.workers}\n"
            f"listeners:\n{listeners}{others}tls: {{mode: self-signed}}\n{self.settings}"
        )

    @property
    def config(self) -> Path:
        return self.home / "mailserver.yaml"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def account(self) -> Account:
        """An account that no other test of this server has used."""
        return next(self._next)

    def cli(
        self, *words: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """`mailserver WORDS` with this server's configuration."""
        done = subprocess.run(
            [*self._command, *words, *self._settings],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._env,
            cwd=self.home,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(
                f"mailserver {' '.join(words)}: {done.returncode}: {done.stderr or done.stdout}"
            )
        return done

    def create(self) -> None:
        """The domain and all accounts, by the command line; or copied, once a server of this run has made the same.

        Their passwords are most of what that takes, and all servers have the same accounts.
        """
        if (shared := os.environ.get("TEST_SHARED")) is None or "dkim" in self.settings:
            self._create()
            return
        made = Path(shared) / f"{self.count} in {self.domain}"
        with Path(f"{made}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if made.exists():
                shutil.copytree(made, self.data)
                return
            self._create()
            shutil.copytree(self.data, made)

    def _create(self) -> None:
        self.cli("domain", "add", self.domain)
        lines = "".join(f"{a.address},{a.password},,\n" for a in self.accounts)
        table = self.home / "users.csv"
        table.write_text("address,password,name,quota\n" + lines)
        self.cli("user", "import", str(table))

    def start(self, limit_s: float = 30) -> None:
        """Serve, in a process group of its own, and wait until every port answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "serve", *self._settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                cwd=self.home,
                start_new_session=True,
            )
        try:
            for port in self.ports.values():
                wait_port(port, self.process, limit_s)
        except RuntimeError as error:
            self.kill()
            raise RuntimeError(f"{error}\n{self.tail()}") from None

    def roots(self) -> list[int]:
        return [self.process.pid] if self.process else []

    def kill(self) -> None:
        """SIGKILL to the whole process group, as a power cut would."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            end = time.monotonic() + 5
            with suppress(ProcessLookupError):  # none of the group is left, and none of its sockets
                while time.monotonic() < end:
                    os.killpg(self.process.pid, 0)
                    time.sleep(0.01)
            self.process = None

    def stop(self, limit_s: float = 30) -> int | None:
        """SIGTERM, and the exit status; SIGKILL after the time limit, which then raises."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise RuntimeError(
                f"SIGTERM did not end the server in {limit_s} s\n{self.tail()}"
            ) from None

    def discard(self) -> None:
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def tail(self, lines: int = 30) -> str:
        """The end of the server's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "mailserver"]

    @property
    def _settings(self) -> list[str]:
        return ["--config", str(self.config)]

    @property
    def _env(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAILSERVER_")}
        if (
            "rates:" not in self.settings
        ):  # tests send more in an hour than anybody should; it is counted all the same
            for name in AccountRates.__slots__:
                env[f"MAILSERVER_LIMITS__RATES__ACCOUNT__{name.upper()}"] = str(10**15)
        if "mail_networks" not in self.settings:  # the hosts of tests are on this machine
            env["MAILSERVER_OUTBOUND__MAIL_NETWORKS"] = '["127.0.0.0/8", "::1/128"]'
        return env | {"PYTHONPATH": str(self.source), "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(
    workers: str = "1", settings: str = "", count: int = 150, domain: str = DOMAIN
) -> Iterator[Ours]:
    """A fresh server with its accounts, serving; stopped by SIGTERM and removed afterwards."""
    ours = Ours(workers=workers, settings=settings, count=count, domain=domain)
    try:
        ours.create()
        ours.start()
        yield ours
        ours.stop()
    finally:
        ours.discard()
