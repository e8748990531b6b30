"""One request to a web server: its certificate checked, nothing followed, so much read, so long waited.

Spec: RFC 9110 §15; RFC 9112 §2-§7; RFC 6125 §6; RFC 9325 §3.1.
Status: what policies and reports need; no redirects, proxies or cookies, a connection for each request.

Who is asked is somebody else's choice.  So a host's addresses are looked at first (`net/public.py`): one that is not
the Internet's is not connected to, and the connection goes to the address that was looked at, not to the name again.

The transport is the loop's; the octets of the response are taken apart by the standard library once they are all there.
"""

import asyncio
import http.client
import io
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from mailserver.mailauth.resolver import LookupFailed
from mailserver.net.dns import Addresses
from mailserver.net.public import Network, may_reach
from mailserver.net.smtp_tls import why
from mailserver.net.tls import CIPHERS

HEAD = 65_536  #: octets of a response before its body
ADDRESSES = 4  #: of a host that are tried
_END = b"\r\n\r\n"


class HttpsError(Exception):
    """There is no response; the text is for people.

    is_untrusted: there is a server, and its certificate proves nothing.
    """

    def __init__(self, text: str, *, is_untrusted: bool = False) -> None:
        super().__init__(text)
        self.is_untrusted = is_untrusted


class Response(NamedTuple):
    """What a server answered.

    media_type: in lower case, without parameters.
    """

    status: int
    media_type: str
    body: bytes


class Resolver(Protocol):
    """What is asked of the DNS (`net/dns.py`)."""

    async def addresses(self, host: str) -> Addresses:
        """Its addresses; raises LookupFailed."""


class Https:
    """Asks web servers.  Keep one: reading the system's authorities takes its time."""

    def __init__(
        self,
        resolver: Resolver,
        authorities: Path | None = None,
        allowed: Iterable[Network] = (),
        agent: str = "mailserver",
    ) -> None:
        """What is asked of *resolver*'s hosts.

        authorities: a file of certificates to trust instead of the system's.
        allowed:     networks that may be connected to besides the Internet.
        """
        self._resolver = resolver
        self._allowed = tuple(allowed)
        self._authorities = authorities
        self._agent = agent
        self._context: ssl.SSLContext | None = None

    async def get(
        self, host: str, path: str, *, most: int, timeout_s: float, port: int = 443
    ) -> Response:
        """What is at *path*, *most* octets at most.  Raises HttpsError."""
        return await self._ask("GET", host, path, {}, b"", most, timeout_s, port)

    async def post(
        self,
        host: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        most: int,
        timeout_s: float,
        port: int = 443,
    ) -> Response:
        """The answer to *body*.  Raises HttpsError."""
        return await self._ask("POST", host, path, headers, body, most, timeout_s, port)

    async def _ask(
        self,
        method: str,
        host: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        most: int,
        timeout_s: float,
        port: int,
    ) -> Response:
        request = _request(method, host, path, port, {"User-Agent": self._agent, **headers}, body)
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self._connect(host, port)
                try:
                    writer.write(request)
                    raw = await _read(reader, most)
                finally:
                    cast(asyncio.Transport, writer.transport).abort()
        except TimeoutError:
            raise HttpsError(f"{host} took more than {timeout_s:g} s") from None
        except OSError as error:
            raise HttpsError(f"{host}: {why(error)}") from error
        return _response(method, host, raw, most)

    async def _connect(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises HttpsError."""
        if self._context is None:
            self._context = _context(self._authorities)
        try:
            addresses = (await self._resolver.addresses(host)).addresses
        except LookupFailed as error:
            raise HttpsError(str(error)) from error
        trouble = HttpsError(f"{host} has no address")
        for address in addresses[:ADDRESSES]:
            if not may_reach(address, self._allowed):
                trouble = HttpsError(f"{host} at {address}: no address of the Internet")
                continue
            try:
                return await asyncio.open_connection(
                    address, port, ssl=self._context, server_hostname=host
                )
            except ssl.SSLCertVerificationError as error:
                raise HttpsError(f"{host}: {why(error)}", is_untrusted=True) from error
            except (OSError, ValueError) as error:
                trouble = HttpsError(f"{host} at {address}: {why(error)}")
        raise trouble


def _context(authorities: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.hostname_checks_common_name = False  # RFC 8461 §3.3
    return context


def _request(
    method: str, host: str, path: str, port: int, headers: Mapping[str, str], body: bytes
) -> bytes:
    """Raises HttpsError for what would be more than one request."""
    at = host if port == 443 else f"{host}:{port}"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {at}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if not path.startswith("/") or any(
        not line.isascii() or not line.isprintable() for line in lines
    ):
        raise HttpsError(f"{host}: no address that could be asked for")
    if " " in path:
        raise HttpsError(f"{host}: no address that could be asked for")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _read(reader: asyncio.StreamReader, most: int) -> bytes:
    """The response, as far as it may go and one octet farther."""
    raw = bytearray()
    while len(raw) <= HEAD + 2 * most and not _is_whole(raw):
        piece = await reader.read(65_536)
        if not piece:
            break
        raw += piece
    return bytes(raw)


def _is_whole(raw: bytearray) -> bool:
    """Whether nothing more of this response can come, with servers that keep connections open."""
    end = raw.find(_END)
    if end < 0:
        return len(raw) > HEAD
    lines = bytes(raw[:end]).lower().split(b"\r\n")
    fields = {
        name.strip(): value.strip()
        for name, _, value in (line.partition(b":") for line in lines[1:])
    }
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return raw.endswith(b"\r\n0\r\n\r\n")
    size = fields.get(b"content-length", b"")
    return size.isdigit() and len(size) < 12 and len(raw) >= end + len(_END) + int(size)


class _Octets:
    """A socket for the standard library, as far as it needs one."""

    def __init__(self, raw: bytes) -> None:
        self._file = io.BytesIO(raw)

    def makefile(self, mode: str) -> io.BytesIO:
        return self._file


def _response(method: str, host: str, raw: bytes, most: int) -> Response:
    """Raises HttpsError."""
    response = http.client.HTTPResponse(_Octets(raw), method=method)  # type: ignore[arg-type]  # see _Octets
    try:
        response.begin()
        body = response.read(most + 1)
        if len(body) <= most:
            body += response.read()  # raises what is missing at the end
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise HttpsError(f"{host}: no response that could be read: {error!r:.100}") from error
    if len(body) > most:
        raise HttpsError(f"{host}: more than {most} octets")
    media_type = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
    return Response(response.status, media_type, body)
