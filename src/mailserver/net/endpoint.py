"""Where something listens or is reached: `host:port`, `[v6]:port`, `:port`, `unix:PATH`.

Spec: RFC 3986 §3.2.2 (IPv6 in brackets).  Status: complete.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

#: letters, digits and hyphens in labels, as host names on the wire are (RFC 1123 §2.1); underscore as resolvers take it
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*"
)
_UNIX_PATH_SIZE = 107  # octets of sun_path on Linux without its NUL


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address.  Either *path* is set (a UNIX socket), or *port*; *host* "" means every address of the machine."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_unix(self) -> bool:
        """It is a file system socket."""
        return self.path is not None


def parse_endpoint(text: str) -> Endpoint:
    """The address written as *text*.  Raises ValueError that says which form was expected."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise ValueError("a path must follow unix:, as in unix:/run/mail.sock")
        if len(path.encode()) > _UNIX_PATH_SIZE:
            raise ValueError(f"the path of a UNIX socket has at most {_UNIX_PATH_SIZE} octets")
        return Endpoint(path=Path(path))
    host, colon, number = text.rpartition(":")
    if not colon or not number:
        raise ValueError("expected host:port, [v6]:port, :port or unix:PATH")
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 65_535):
        raise ValueError(f"{number!r} is not a port; ports are 1 to 65535")
    return Endpoint(_host(host), int(number))


def _host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError(f"{text[1:-1]!r} is not an IPv6 address") from None
    if ":" in text:
        raise ValueError(f"an IPv6 address stands in brackets, as in [{text}]:25")
    if text and re.fullmatch(r"[0-9.]+", text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise ValueError(f"{text!r} is not an IPv4 address") from None
    if text and not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name")
    return text
