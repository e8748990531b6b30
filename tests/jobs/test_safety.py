"""TLS where it is to be had, and the right TLS where the sender insists (RFC 8689)."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from jobs.post_office import post_office
from mailserver.net.smtp_tls import ClientTls
from mailserver.net.tls import ServerTls, self_signed
from misbehaving import DROP, NextHop

SAFE = ("PIPELINING", "REQUIRETLS")


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 40))


@pytest.fixture
def files(tmp_path):
    """A certificate for mx1.test."""
    (tmp_path / "tls").mkdir()
    return self_signed(tmp_path / "tls", "mx1.test", datetime.fromtimestamp(time.time(), UTC))


@pytest.mark.rfc(7435, "3")
@pytest.mark.parametrize(
    "behaviour", [{}, {"TLS": DROP}, {"TLS": b"garbage"}, {"STARTTLS": "454 4.7.0 No"}]
)
def test_tls_is_used_if_it_works(tmp_path, files, behaviour):
    async def main():
        with NextHop(behaviour, tls=ServerTls(files).context) as hop:
            async with post_office(tmp_path, port=hop.port) as office:
                office.zone.hosts["e.test"] = ["127.0.0.1"]
                await office.put("e.test", "b@e.test")
                await office.until("delivered")
                ((tls,),) = await office.rows("SELECT tls FROM attempt")
        assert hop.messages[0].is_tls == (not behaviour)
        assert tls.startswith("TLSv1.3") == (not behaviour)

    run(main())


@pytest.mark.rfc(8689, "4.2.1")
@pytest.mark.parametrize(
    ("extensions", "offers", "trusts", "host", "proven", "status"),
    [
        (SAFE, True, True, "mx1.test", True, "2.0.0"),
        (("PIPELINING",), True, True, "mx1.test", True, "5.7.30"),
        (SAFE, False, True, "mx1.test", True, "5.7.10"),
        (SAFE, True, False, "mx1.test", True, "5.7.10"),
        (SAFE, True, True, "other.test", True, "5.7.10"),
        (SAFE, True, True, "mx1.test", False, "5.7.10"),
    ],
    ids=["safe", "no REQUIRETLS", "no TLS", "untrusted", "wrong name", "unproven MX"],
)
def test_requiretls(tmp_path, files, extensions, offers, trusts, host, proven, status):
    tls = ServerTls(files).context if offers else None
    authorities = ClientTls(files.certificate if trusts else None)

    async def main():
        with NextHop(extensions=extensions, tls=tls) as hop:
            async with post_office(tmp_path, port=hop.port, tls=authorities) as office:
                office.zone.mx_of["e.test"] = [(10, host)]
                office.zone.hosts[host] = ["127.0.0.1"]
                office.zone.is_authentic = proven
                await office.put("e.test", "b@e.test", needs_tls=True)
                await office.until("delivered" if status == "2.0.0" else "failed")
                ((_, _, _, said, _, _),) = await office.attempts()
                await office.put("e.test", "c@e.test")  # others are not in need of it
                await office.until("delivered" if status == "2.0.0" else "failed", "delivered")
        assert said == status
        (*first, _) = hop.messages
        assert len(first) == (status == "2.0.0")
        assert all(message.mail.endswith(b" REQUIRETLS") and message.is_tls for message in first)

    run(main())


@pytest.mark.rfc(8689, "4.2.1")
def test_each_host_is_asked_for_requiretls(tmp_path, files):
    context = ServerTls(files).context

    async def main():
        first = NextHop(extensions=("PIPELINING",), tls=context, address="127.0.0.2")
        with first, NextHop(extensions=SAFE, tls=context, port=first.port) as second:
            async with post_office(
                tmp_path, port=first.port, tls=ClientTls(files.certificate)
            ) as office:
                office.zone.mx_of["e.test"] = [(10, "mx0.test"), (20, "mx1.test")]
                office.zone.hosts |= {"mx0.test": ["127.0.0.2"], "mx1.test": ["127.0.0.1"]}
                office.zone.is_authentic = True
                await office.put("e.test", "b@e.test", needs_tls=True)
                await office.until("delivered")
        assert len(second.messages) == 1

    run(main())


def test_who_is_only_away_is_asked_again(tmp_path, files):
    async def main():
        async with post_office(tmp_path, port=9, tls=ClientTls(files.certificate)) as office:
            office.zone.mx_of["e.test"] = [(10, "mx1.test")]
            office.zone.hosts["mx1.test"] = ["127.0.0.1"]
            office.zone.is_authentic = True
            await office.put("e.test", "b@e.test", needs_tls=True)
            await office.until("deferred")

    run(main())


@pytest.mark.rfc(8689, "5")
def test_a_notice_goes_without_it_rather_than_not_at_all(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, port=hop.port) as office:
                office.zone.hosts["e.test"] = ["127.0.0.1"]
                await office.put("e.test", "b@e.test", sender="", needs_tls=True)
                await office.until("delivered")
        assert b"REQUIRETLS" not in hop.messages[0].mail

    run(main())
