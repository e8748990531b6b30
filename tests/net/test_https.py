"""Requests to web servers: what comes back, and what is refused."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from certificates import Paper, authority, self_signed
from mailserver.mailauth.resolver import NoSuchDomain
from mailserver.net.dns import Addresses
from mailserver.net.https import Https, HttpsError, Response
from mailserver.net.public import Network
from mailserver.net.tls import ServerTls
from webserver import Answer, WebServer, page

ROOT = authority("Web root")
SERVER = ROOT.server("web.test")
LAB = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Names:
    """web.test is here; the others are not."""

    def __init__(self, *addresses: str) -> None:
        self.addresses_ = addresses or ("127.0.0.1",)

    async def addresses(self, host: str) -> Addresses:
        if not host.endswith("web.test"):
            raise NoSuchDomain(f"{host} does not exist")
        return Addresses(self.addresses_, False, 60)


def ask(
    tmp_path: Path,
    answer: Answer,
    *,
    paper: Paper = SERVER,
    host: str = "web.test",
    path: str = "/x",
    most: int = 1_000,
    timeout_s: float = 5.0,
    names: Names | None = None,
    post: bytes | None = None,
    allowed: Sequence[Network] = LAB,
    **more: object,
) -> tuple[Response, list[bytes]]:
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    context = ServerTls(paper.files(tmp_path, "web")).context

    async def main(port: int) -> Response:
        https = Https(names or Names(), tmp_path / "root.pem", allowed)
        if post is not None:
            headers = {"Content-Type": "application/x"}
            return await https.post(
                host, path, post, headers, most=most, timeout_s=timeout_s, port=port
            )
        return await https.get(host, path, most=most, timeout_s=timeout_s, port=port)

    with WebServer(context, answer, **more) as web:  # type: ignore[arg-type]
        return asyncio.run(main(web.port)), web.requests


@pytest.mark.rfc(9112, "3", "6")
@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        page(200, b"hello", "Text/Plain; charset=utf-8"),
        page(
            200,
            b"5\r\nhello\r\n0\r\n\r\n",
            "text/plain",
            "Transfer-Encoding: chunked",
            length=False,
        ),
    ],
    ids=["length", "chunked"],
)
def test_a_page(tmp_path: Path, answer: bytes, stays: bool) -> None:
    response, (request,) = ask(tmp_path, answer, stays=stays)
    assert response == Response(200, "text/plain", b"hello")
    lines = request.split(b"\r\n")
    assert lines[0] == b"GET /x HTTP/1.1"
    assert any(line.startswith(b"Host: web.test:") for line in lines)


def test_a_page_after_a_word_of_patience(tmp_path: Path) -> None:
    answer = page(100, b"", length=False) + page(200, b"hello")
    response, _ = ask(tmp_path, answer)
    assert response == Response(200, "text/plain", b"hello")


def test_until_the_end_of_the_connection(tmp_path: Path) -> None:
    response, _ = ask(tmp_path, page(404, b"nothing here", length=False))
    assert response == Response(404, "text/plain", b"nothing here")


def test_something_sent(tmp_path: Path) -> None:
    response, (request,) = ask(tmp_path, page(201, b""), post=b"report" * 20_000)
    assert response.status == 201
    assert request.endswith(b"\r\n\r\n" + b"report" * 20_000)
    assert b"\r\nContent-Type: application/x\r\n" in request


@pytest.mark.rfc(6125, "6")
@pytest.mark.parametrize(
    ("paper", "text"),
    [
        (self_signed("web.test"), "self-signed"),
        (ROOT.server("other.test"), "web.test"),
        (ROOT.server("web.test", days=-1), "expired"),
        (authority("Another").server("web.test"), "certificate"),
    ],
    ids=["self-signed", "name", "late", "stranger"],
)
def test_a_certificate_that_proves_nothing(tmp_path: Path, paper: Paper, text: str) -> None:
    with pytest.raises(HttpsError, match=text) as raised:
        ask(tmp_path, page(200, b"hello"), paper=paper)
    assert raised.value.is_untrusted


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (page(200, b"x" * 1_001), "more than 1000"),
        (page(200, b"x" * 200_000), "more than 1000|no response"),
        (page(200, b"x" * 1_001, length=False), "more than 1000"),
        (b"", "no response"),
        (b"220 mail.example ESMTP\r\n", "no response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, "no response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, "no response"),
        (page(200, b"short", "text/plain", "Content-Length: 50", length=False), "no response"),
        (
            page(200, b"ff\r\nhello", "text/plain", "Transfer-Encoding: chunked", length=False),
            "no response",
        ),
        (
            page(200, b"x" * 900_000, "text/plain", "Transfer-Encoding: chunked", length=False),
            "no response",
        ),
    ],
    ids=range(10),
)
def test_what_is_no_response(tmp_path: Path, answer: bytes, text: str) -> None:
    with pytest.raises(HttpsError, match=text) as raised:
        ask(tmp_path, answer)
    assert not raised.value.is_untrusted


@pytest.mark.rfc(9110, "15.4")
def test_redirects_are_the_caller_s(tmp_path: Path) -> None:
    response, requests = ask(tmp_path, page(302, b"", "text/plain", "Location: https://web.test/y"))
    assert (response.status, len(requests)) == (302, 1)


def test_time_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(HttpsError, match=r"took more than 0\.5 s"):
        ask(tmp_path, page(200, b"hello"), timeout_s=0.5, slow_s=2.0)


def test_the_next_address(tmp_path: Path) -> None:
    response, _ = ask(tmp_path, page(200, b"hello"), names=Names("127.0.0.99", "127.0.0.1"))
    assert response.status == 200


@pytest.mark.parametrize(
    ("host", "path", "text"),
    [
        ("nobody.test", "/", "does not exist"),
        ("web.test", "/a b", "no address"),
        ("web.test", "/\r\nHost: x", "no address"),
        ("web.test", "x", "no address"),
        ("\u00fc.web.test", "/", "no address"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, host: str, path: str, text: str) -> None:
    with pytest.raises(HttpsError, match=text):
        ask(tmp_path, page(200, b"hello"), host=host, path=path)


@pytest.mark.rfc(8461, "3.3")
def test_a_certificate_names_its_host_where_names_belong(tmp_path: Path) -> None:
    """A common name is none."""
    with pytest.raises(HttpsError) as caught:
        ask(tmp_path, page(200, b"x"), paper=ROOT.server(common="web.test"))
    assert caught.value.is_untrusted


# -- where it may go


@pytest.mark.parametrize("post", [None, b"report"])
def test_names_that_lead_inside(tmp_path: Path, post: bytes | None) -> None:
    """Nobody has us ask this machine, or another one behind it, by publishing an address of it."""
    answer = page(200, b"secret")
    names = Names("127.0.0.1", "::1", "::ffff:127.0.0.1")
    with pytest.raises(HttpsError, match="no address of the Internet"):
        ask(tmp_path, answer, names=names, post=post, allowed=())
    with pytest.raises(HttpsError, match="no address of the Internet"):
        ask(tmp_path, answer, post=post, allowed=(ip_network("10.0.0.0/8"),))


def test_the_address_that_was_looked_at_is_the_one_connected_to(tmp_path: Path) -> None:
    """A name that stands for another address the next time it is asked for does not get us there."""

    class Turning(Names):
        asked = 0

        async def addresses(self, host: str) -> Addresses:
            self.asked += 1
            return Addresses(("127.0.0.1",) if self.asked == 1 else ("192.0.2.1",), False, 0)

    names = Turning()
    response, _ = ask(tmp_path, page(200, b"hello"), names=names)
    assert response.body == b"hello"
    assert names.asked == 1


def test_the_next_address_where_the_first_leads_inside(tmp_path: Path) -> None:
    response, _ = ask(tmp_path, page(200, b"hello"), names=Names("10.0.0.1", "127.0.0.1"))
    assert response.body == b"hello"
