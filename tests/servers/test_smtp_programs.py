"""SMTP as real programs speak it."""

import subprocess
from pathlib import Path

import pytest

from servers.site import PASSWORD, Site, certificate, running

MESSAGE = (
    "From: alice@example.test\nTo: bob@example.test\nSubject: from swaks\n"
    "Date: Mon, 1 Jan 2024 12:00:00 +0000\nMessage-ID: <1@example.test>\n\nhello\n.a dot\n"
)


@pytest.fixture
def site(tmp_path: Path):
    with running(tmp_path / "data", certificate(tmp_path / "tls")) as site:
        yield site


def swaks(site: Site, port: str, *options: str) -> subprocess.CompletedProcess[str]:
    server = ["--server", "127.0.0.1", "--port", str(site.ports[port])]
    return subprocess.run(
        [
            "swaks",
            *server,
            "--to",
            "bob@example.test",
            "--from",
            "alice@example.test",
            "--data",
            MESSAGE.rstrip("\n"),  # it ends the last line itself
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


LOGIN = ("--auth-user", "alice@example.test", "--auth-password", PASSWORD)


@pytest.mark.needs("swaks")
@pytest.mark.parametrize(
    ("port", "options"),
    [
        ("smtp", ()),
        ("smtp", ("--pipeline",)),
        ("smtp", ("--tls",)),
        ("submission", ("--tls", "--auth", "PLAIN", *LOGIN)),
        ("submission", ("--auth", "LOGIN", *LOGIN)),
        ("submissions", ("--tls-on-connect", "--auth", "PLAIN", *LOGIN)),
    ],
)
def test_swaks_sends(site: Site, port: str, options: tuple[str, ...]) -> None:
    done = swaks(site, port, *options)
    assert done.returncode == 0, done.stdout
    (stored,) = site.messages("bob@example.test")
    assert stored.endswith(MESSAGE.replace("\n", "\r\n").encode())


@pytest.mark.needs("swaks")
@pytest.mark.parametrize(
    ("port", "options", "reply"),
    [
        ("smtp", ("--to", "x@elsewhere.test"), "550 5.7.1"),
        ("submission", (), "530 5.7.0"),
        (
            "submission",
            ("--tls", "--auth", "PLAIN", *LOGIN, "--from", "bob@example.test"),
            "550 5.7.1",
        ),
        ("submission", ("--tls", "--auth", "PLAIN", *LOGIN[:-1], "wrong"), "535 5.7.8"),
    ],
)
def test_swaks_hears_refusals(site: Site, port: str, options: tuple[str, ...], reply: str) -> None:
    done = swaks(site, port, *options)
    assert done.returncode != 0
    assert f"<** {reply}" in done.stdout or f"<~* {reply}" in done.stdout, done.stdout
    assert site.messages("bob@example.test") == []


@pytest.mark.needs("curl")
def test_curl_sends(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mail").write_bytes(MESSAGE.replace("\n", "\r\n").encode())
    done = subprocess.run(
        ["curl", "-sS", "--insecure", "--ssl-reqd", "--url", f"smtp://127.0.0.1:{site.ports['submission']}",
         "--user", f"alice@example.test:{PASSWORD}", "--mail-from", "alice@example.test",
         "--mail-rcpt", "bob@example.test", "--upload-file", str(tmp_path / "mail")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (stored,) = site.messages("bob@example.test")
    assert stored.endswith(MESSAGE.replace("\n", "\r\n").encode())
