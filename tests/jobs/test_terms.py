"""Next hops that the configuration names: their TLS and log-in are as it says."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from jobs.post_office import post_office
from mailserver.base.errors import Corrupt
from mailserver.jobs.ways import Terms
from mailserver.net.tls import ServerTls, self_signed
from mailserver.smtp.outgoing import Login, Tls
from misbehaving import NextHop

EXTENSIONS = ("PIPELINING", "AUTH PLAIN LOGIN")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    now = datetime.fromtimestamp(time.time(), UTC)
    return ServerTls(self_signed(tmp_path_factory.mktemp("tls"), "hop.example", now)).context


def send(folder, hop, terms, state, destination=""):
    """The status and text of the last attempt, once the recipient is in *state*."""
    asked = []

    async def say(name):
        asked.append(name)
        if isinstance(terms, Exception):
            raise terms
        return terms

    async def main():
        async with post_office(folder, terms=say) as office:
            await office.put(destination or f"smtp:127.0.0.1:{hop.port}")
            await office.until(state)
            return await office.rows("SELECT status, reply, tls FROM attempt")

    ((status, reply, facts),) = asyncio.run(asyncio.wait_for(main(), 30))
    return status, reply, facts, asked


def test_a_log_in(tmp_path, tls):
    with NextHop(extensions=EXTENSIONS, tls=tls) as hop:
        terms = Terms(Tls.ENCRYPT, Login("us", "secret"))
        _, _, facts, asked = send(tmp_path, hop, terms, "delivered")
    assert asked == [f"smtp:127.0.0.1:{hop.port}"]
    assert facts.startswith("TLSv1.3")
    assert hop.commands[3] == b"AUTH PLAIN AHVzAHNlY3JldA=="
    assert hop.messages


def test_a_password_that_is_refused_bounces_nothing(tmp_path, tls):
    behaviour = {"AUTH": "535 5.7.8 Wrong"}
    with NextHop(behaviour, extensions=EXTENSIONS, tls=tls) as hop:
        terms = Terms(Tls.ENCRYPT, Login("us", "secret"))
        status, reply, _, _ = send(tmp_path, hop, terms, "deferred")
    assert status == "4.7.8"
    assert "535 5.7.8 Wrong" in reply
    assert "secret" not in reply


def test_a_certificate_that_must_fit(tmp_path, tls):
    with NextHop(extensions=EXTENSIONS, tls=tls) as hop:
        status, reply, _, _ = send(tmp_path, hop, Terms(Tls.VERIFY), "deferred")
    assert status == "4.7.5"
    assert "certificate" in reply
    assert not hop.messages


def test_no_tls_where_it_must_be(tmp_path):
    with NextHop(extensions=EXTENSIONS) as hop:
        status, _, _, _ = send(tmp_path, hop, Terms(Tls.ENCRYPT), "deferred")
    assert status == "4.7.4"
    assert not hop.messages


def test_terms_that_cannot_be_read(tmp_path):
    with NextHop(extensions=EXTENSIONS) as hop:
        status, _, _, _ = send(tmp_path, hop, Corrupt("the key is gone"), "deferred")
    assert status == "4.3.5"
    assert not hop.connections


def test_domains_have_no_terms(tmp_path):
    with NextHop() as hop:
        *_, asked = send(tmp_path, hop, Corrupt("not asked"), "deferred", destination="[127.0.0.2]")
    assert asked == []
