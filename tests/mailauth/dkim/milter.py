"""Just enough of a mail server's side of the milter protocol to have a message signed."""

import socket
import struct
from pathlib import Path

_BLANKS = 0x100000  #: SMFIP_HDR_LEADSPC


def added_fields(path: Path, header: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    """(name, body) of the fields that the milter at the UNIX socket *path* puts in front of a message.

    The protocol is the one that sendmail's libmilter speaks, version 6; bodies begin with the blank after the colon.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(path))
        _send(sock, b"O", struct.pack("!III", 6, 0x1FF, _BLANKS))
        kind, data = _receive(sock)
        assert kind == b"O", (kind, data)
        assert struct.unpack("!III", data[:12])[2] == _BLANKS
        _ask(sock, b"C", b"client.example.org\x004" + struct.pack("!H", 25) + b"127.0.0.1\0")
        _ask(sock, b"H", b"client.example.org\0")
        _ask(sock, b"M", b"<alice@example.org>\0")
        _ask(sock, b"R", b"<bob@example.com>\0")
        for line in (
            header.replace(b"\r\n ", b"\n ").replace(b"\r\n\t", b"\n\t").split(b"\r\n")[:-1]
        ):
            name, _, value = line.partition(b":")
            _ask(sock, b"L", name + b"\0" + value + b"\0")
        _ask(sock, b"N", b"")
        if body:
            _ask(sock, b"B", body)
        _send(sock, b"E", b"")
        fields = []
        while True:
            kind, data = _receive(sock)
            if kind in b"hi":
                name, value = (data[4:] if kind == b"i" else data).split(b"\0")[:2]
                fields.append((name, value))
            elif kind in b"acrty":
                assert kind in b"ac", kind
                return fields


def _ask(sock: socket.socket, kind: bytes, data: bytes) -> None:
    _send(sock, kind, data)
    answer, text = _receive(sock)
    assert answer in b"cs", (kind, answer, text)


def _send(sock: socket.socket, kind: bytes, data: bytes) -> None:
    sock.sendall(struct.pack("!I", len(data) + 1) + kind + data)


def _receive(sock: socket.socket) -> tuple[bytes, bytes]:
    (size,) = struct.unpack("!I", _exactly(sock, 4))
    data = _exactly(sock, size)
    return data[:1], data[1:]


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, "the milter is gone"
        data += piece
    return data
