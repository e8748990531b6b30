"""What systemd is told."""

import socket

from mailserver.net.systemd import notify


def test_nobody_asked():
    notify("READY=1", {})


def test_a_datagram_to_the_socket(tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        notify("READY=1", {"NOTIFY_SOCKET": str(path)})
        assert sock.recv(100) == b"READY=1"


def test_an_abstract_socket():
    name = f"mailserver-test-{id(object())}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        notify("STOPPING=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert sock.recv(100) == b"STOPPING=1"


def test_nobody_listens(tmp_path):
    notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "none")})
