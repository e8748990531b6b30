"""The inside of scripts/serve: a data folder with a domain and two users, the server on loopback, one screen to go on.

Everything it makes lies in the data folder: mailserver.yaml, passwords.txt (readable for its owner only), server.log,
the database.  What is there already is left as it is; the screen shows the configuration in force, wherever it is from.
"""

import argparse
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
NAMES = ("alice", "bob")
UNKNOWN = "(the password is known to its owner; `mailserver user passwd` sets another)"
PORTS = {
    "smtp": 2025,
    "submission": 2587,
    "submissions": 2465,
    "imap": 2143,
    "imaps": 2993,
    "managesieve": 4190,
}

CONFIG = """\
# Written by scripts/serve; change it as you like, it is not written again.  All keys: docs/guide/configuration.md
data_dir: .
hostname: {hostname}
listeners:
{listeners}
  lmtp: []
  http: []
  https: []
log: {{format: console, file: server.log}}
"""


class Stop(Exception):
    """It cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Where everything lies, and the settings of this run that stand above the configuration file."""

    folder: Path
    config: Path
    domain: str
    overrides: dict[str, str]

    @property
    def passwords_file(self) -> Path:
        """ADDRESS PASSWORD, a line each."""
        return self.folder / "passwords.txt"

    def environment(self) -> dict[str, str]:
        """The environment of every command."""
        return {**os.environ, **self.overrides, "PYTHONPATH": str(ROOT / "src")}

    def command(self, *arguments: str) -> list[str]:
        """A command line of `mailserver`."""
        return [sys.executable, "-m", "mailserver", *arguments, "--config", str(self.config)]

    def ask(self, *arguments: str, given: str = "") -> object:
        """The JSON answer of a command.  Raises Stop with its refusal."""
        done = subprocess.run(
            self.command(*arguments, "--json"),
            env=self.environment(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise Stop(f"mailserver {' '.join(arguments)}: {said}")
        return json.loads(done.stdout) if done.stdout.strip() else None


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/serve",
        description="A mail server to try: sets everything up, starts it on loopback ports, shows how to use it.",
        epilog="MAILSERVER_... variables hold here as they do for the server (docs/guide/configuration.md).  "
        "Ports given here hold for this run; for good, change the configuration file.",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="data folder (default: ./data)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: DIR/mailserver.yaml")
    parser.add_argument("--domain", default="example.test", help="default: %(default)s")
    parser.add_argument("--host", metavar="ADDRESS", help="listen there (default: 127.0.0.1)")
    for name, port in PORTS.items():
        parser.add_argument(f"--{name}-port", type=int, metavar="N", help=f"default: {port}")
    return parser.parse_args(given)


def trial(options: argparse.Namespace) -> Trial:
    """Where things lie, from flags and environment."""
    data = options.data or os.environ.get("MAILSERVER_DATA_DIR") or ROOT / "data"
    folder = Path(data).absolute()
    config = options.config or os.environ.get("MAILSERVER_CONFIG") or folder / "mailserver.yaml"
    overrides = {}
    for name, port in PORTS.items():
        chosen = getattr(options, f"{name}_port")
        if chosen is not None or options.host:
            at = json.dumps([f"{options.host or '127.0.0.1'}:{chosen or port}"])
            overrides[f"MAILSERVER_LISTENERS__{name.upper()}"] = at
    return Trial(folder, Path(config).absolute(), options.domain, overrides)


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def prepare(t: Trial) -> None:
    """The data folder and the configuration, unless they are there."""
    t.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not t.config.exists():
        t.config.parent.mkdir(parents=True, exist_ok=True)
        listeners = "\n".join(f'  {name}: ["127.0.0.1:{port}"]' for name, port in PORTS.items())
        t.config.write_text(CONFIG.format(hostname=f"mail.{t.domain}", listeners=listeners))


def settings(t: Trial) -> dict[str, object]:
    """Key -> value of the configuration in force, `listeners.imap` and so on."""
    answer = t.ask("config", "show")
    if not isinstance(answer, dict):
        raise Stop("mailserver config show gave no object")
    return {key: entry["value"] for key, entry in answer.items()}


def passwords(t: Trial) -> dict[str, str]:
    """Address -> password, as far as they are known."""
    if not t.passwords_file.exists():
        return {}
    lines = t.passwords_file.read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if len(line.split()) == 2)


def populate(t: Trial, data_dir: Path) -> dict[str, str]:
    """Some users, address -> password ("" where only their owner knows it).

    An empty database gets the domain and its users; one that somebody has filled is left as it is.
    """
    is_new = not (data_dir / "mailserver.db").exists()
    there = set() if is_new else listed(t, "user", "address")
    known = passwords(t)
    if not there and not known:
        known = {f"{name}@{t.domain}": password() for name in NAMES}
        lines = "".join(f"{address} {word}\n" for address, word in known.items())
        write_private(t.passwords_file, lines)
    missing = known.keys() - there
    if missing:
        domains = set() if is_new else listed(t, "domain", "domain")
        for domain in {address.rpartition("@")[2] for address in missing} - domains:
            t.ask("domain", "add", domain)
    for address in sorted(missing):
        t.ask("user", "add", address, "--password-stdin", given=known[address] + "\n")
    return known or dict.fromkeys(sorted(there)[:3], "")


def listed(t: Trial, kind: str, key: str) -> set[str]:
    """The names of all users or domains."""
    rows = t.ask(kind, "list")
    return {str(r[key]) for r in rows if isinstance(r, dict)} if isinstance(rows, list) else set()


def password() -> str:
    """Random, 79 bits, easy to read and to type, harmless in a shell."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def endpoints(found: dict[str, object]) -> dict[str, list[tuple[str, int]]]:
    """Listener -> (host, port) pairs, "" for all addresses; unix sockets are left out."""
    out: dict[str, list[tuple[str, int]]] = {}
    for key, value in found.items():
        if key.startswith("listeners.") and isinstance(value, list):
            pairs = [str(v).rpartition(":") for v in value if not str(v).startswith("unix:")]
            out[key.partition(".")[2]] = [(host.strip("[]"), int(port)) for host, _, port in pairs]
    return out


def refuse_taken_ports(t: Trial, listeners: dict[str, list[tuple[str, int]]]) -> None:
    """Raises Stop when a port cannot be had, saying which and how to take another."""
    for name, pairs in listeners.items():
        for host, port in pairs:
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                with socket.socket(family) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((host, port))
            except OSError as error:
                flag = f"scripts/serve --{name}-port {port + 1000}, or " if name in PORTS else ""
                raise Stop(
                    f"Port {port} for {name} cannot be used: {error.strerror}.\n"
                    f"Is the server running already?  Otherwise: {flag}change listeners.{name} in {t.config}"
                ) from None


def reach(pairs: list[tuple[str, int]]) -> tuple[str, int] | None:
    """Where a program on this machine reaches a listener."""
    if not pairs:
        return None
    host, port = pairs[0]
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def wait_until_open(server: subprocess.Popen[bytes], at: list[tuple[str, int]], log: Path) -> None:
    """Returns when every port answers.  Raises Stop when the server ends first, or after half a minute."""
    until = time.monotonic() + 30
    for address in at:
        while True:
            try:
                socket.create_connection(address, timeout=2).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > until:
                    tail = (
                        log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
                    )
                    raise Stop("\n".join(["The server did not start.", *tail])) from None
                time.sleep(0.05)


def screen(
    t: Trial, users: dict[str, str], listeners: dict[str, list[tuple[str, int]]], log: Path | None
) -> str:
    """All that somebody needs to go on."""
    at = {name: reach(pairs) for name, pairs in listeners.items()}
    text = {name: f"{a[0]}:{a[1]}" for name, a in at.items() if a}
    rows = [
        ("accounts", [f"{a}   {p or UNKNOWN}" for a, p in users.items()]),
        ("read", ways(text, "imap", "imaps", "IMAP")),
        ("send", ways(text, "submission", "submissions", "SMTP")),
        ("receive", [f"{text.get('smtp', 'off')}   SMTP, from other servers"]),
        ("data", [str(t.folder), *([f"log: {log}"] if log else [])]),
    ]
    tries = list(attempts(users, at, text))
    manage = [
        str(Path(sys.executable).parent / "mailserver"),
        "user",
        "list",
        "--config",
        str(t.config),
    ]
    return "\n".join(
        [
            "",
            "mailserver is running.  Ctrl-C stops it; the mail stays.",
            "",
            *block(rows),
            "",
            "Try it, in another terminal:",
            "",
            *block([*tries, ("manage", [shlex.join(manage)])]),
            "",
        ]
    )


def block(rows: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    """Lines with a word in front of each group."""
    for name, lines in rows:
        for i, line in enumerate(lines):
            yield f"  {name if i == 0 else '':10}{line}"


def attempts(
    users: dict[str, str], at: dict[str, tuple[str, int] | None], text: dict[str, str]
) -> Iterator[tuple[str, list[str]]]:
    """Lines to paste: send, read, set up a mail program."""
    if not users:
        return
    (sender, hers), *others = users.items()
    recipient, his = others[0] if others else (sender, hers)
    if "submission" in text:
        yield "send", [send_line(sender, hers or "PASSWORD", recipient, text["submission"])]
    if "imap" in text:
        yield "read", [read_line(recipient, his or "PASSWORD", text["imap"])]
    imaps, submissions = at.get("imaps"), at.get("submissions")
    if imaps and submissions:
        yield (
            "use",
            [
                f"Thunderbird: New Account, {recipient} with the password above, Configure manually:",
                f"incoming IMAP {imaps[0]} port {imaps[1]}, outgoing SMTP {submissions[0]} port "
                f"{submissions[1]}, both SSL/TLS and",
                "Normal password; then accept the self-signed certificate",
            ],
        )


def ways(text: dict[str, str], plain: str, tls: str, protocol: str) -> list[str]:
    """Both listeners of a protocol, as far as they are on."""
    found = [f"{text[tls]}   {protocol} with TLS"] if tls in text else []
    found += [f"{text[plain]}   {protocol} with STARTTLS"] if plain in text else []
    return found or ["off"]


def send_line(sender: str, password: str, recipient: str, at: str) -> str:
    """A shell line that sends a message."""
    message = rf"From: {sender}\r\nTo: {recipient}\r\nSubject: Hello\r\n\r\nIt works.\r\n"
    if shutil.which("curl"):
        return (
            f"printf '{message}' | curl -sS smtp://{at} --user {shlex.quote(f'{sender}:{password}')} "
            f"--mail-from {sender} --mail-rcpt {recipient} -T -"
        )
    host, _, port = at.rpartition(":")
    return (
        f"""python3 -c "import smtplib; s = smtplib.SMTP('{host}', {port}); s.login('{sender}', '{password}'); """
        f"""s.sendmail('{sender}', '{recipient}', '{message}')\""""
    )


def read_line(user: str, password: str, at: str) -> str:
    """A shell line that shows the newest message."""
    if shutil.which("curl"):
        return (
            f"curl -sS 'imap://{at}/INBOX;MAILINDEX=*' --user {shlex.quote(f'{user}:{password}')}"
        )
    host, _, port = at.rpartition(":")
    return (
        f"""python3 -c "import imaplib; m = imaplib.IMAP4('{host}', {port}); m.login('{user}', '{password}'); """
        """m.select(); print(m.fetch('*', '(BODY[])')[1][0][1].decode())\""""
    )


def serve(t: Trial) -> int:
    """Runs the server until it ends or is stopped; its exit status."""
    prepare(t)
    found = settings(t)
    listeners = endpoints(found)
    refuse_taken_ports(t, listeners)
    users = populate(t, Path(str(found["data_dir"])))
    log = Path(str(found["log.file"])) if found.get("log.file") else None
    server = subprocess.Popen(t.command("serve"), env=t.environment(), cwd=t.folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the server by itself
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        wait_until_open(
            server, [a for pairs in listeners.values() if (a := reach(pairs))], log or t.folder
        )
        print(screen(t, users, listeners, log), flush=True)
        return server.wait()
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()


def main(given: Sequence[str] | None = None) -> int:
    """Exit status: the server's, or 1 when it could not be started."""
    try:
        return serve(trial(arguments(given)))
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
