"""Mail goes to hosts with TLSA records only when they prove who they are: real handshakes, a DNS that obeys the test.

RFC 7672: a host that proves nothing gets no mail, the next one may; nothing ever goes in clear or elsewhere instead.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from certificates import Paper, authority, self_signed
from jobs.post_office import Office, post_office
from mailserver.mailauth.reports.tls_values import TlsOutcome
from mailserver.mailauth.resolver import Bogus, NoData, Tlsa, Trouble
from mailserver.mailauth.tlsa import record_for
from mailserver.net.tls import ServerTls
from misbehaving import DROP, NextHop

DOMAIN, HOST = "elsewhere.test", "mx1.elsewhere.test"
ROOT = authority("Root")
MIDDLE = ROOT.authority("Middle")
SERVER = MIDDLE.server(HOST)
OTHER = authority("Other")
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def run(coroutine: Coroutine[object, object, None], loop=asyncio.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(coroutine, 40))


def context(paper: Paper, folder: Path, *, depth: int = 10) -> ssl.SSLContext:
    return ServerTls(paper.files(folder, "hop", depth=depth)).context


class Counted(list[TlsOutcome]):
    """What was counted for reports."""

    def of(self, office: Office) -> "Counted":
        ways = office.site.ways
        office.site = replace(office.site, ways=replace(ways, count_tls=self.append))
        return self

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(one.policy.type, one.failure.result if one.failure else "") for one in self]


def publish(office: Office, port: int, *records: Tlsa | Exception, host: str = HOST) -> None:
    """A signed domain with one host, and its TLSA records."""
    zone = office.zone
    zone.is_authentic = True
    zone.mx_of[DOMAIN] = [*zone.mx_of.get(DOMAIN, []), (10 * len(zone.hosts) + 10, host)]
    zone.hosts[host] = [f"127.0.0.{len(zone.hosts) + 1}"]
    failed = [one for one in records if isinstance(one, Exception)]
    found = [one for one in records if isinstance(one, Tlsa)]
    zone.tlsa_of[f"_{port}._tcp.{host}"] = failed[0] if failed else found


async def tls_of(office: Office) -> str:
    rows = await office.rows("SELECT tls FROM attempt")
    return str(rows[0][0])


GOOD = {
    "EE key": (SERVER, [record_for(SERVER.der)], "DANE-EE 3 1 1"),
    "EE certificate": (SERVER, [record_for(SERVER.der, 3, 0, 2)], "DANE-EE 3 0 2"),
    "EE whole": (SERVER, [record_for(SERVER.der, 3, 0, 0)], "DANE-EE 3 0 0"),
    "TA root": (SERVER, [record_for(ROOT.der, 2, 0, 1)], "DANE-TA 2 0 1"),
    "TA intermediate": (SERVER, [record_for(MIDDLE.der, 2, 1, 2)], "DANE-TA 2 1 2"),
    "one of several": (SERVER, [record_for(OTHER.der), record_for(ROOT.der, 2)], "DANE-TA 2 1 1"),
    "for the domain": (
        ROOT.server(DOMAIN),
        [record_for(ROOT.der, 2)],
        "DANE-TA 2 1 1",
    ),
}


@pytest.mark.rfc(7672, "3.1")
@pytest.mark.parametrize("case", GOOD)
@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_who_proves_himself_gets_the_mail(tmp_path, case, loop):
    paper, records, by = GOOD[case]

    async def main():
        with NextHop(tls=context(paper, tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, *records)
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
                tls = await tls_of(office)
        assert tls.startswith("TLSv1.3")
        assert tls.endswith(f" verified ({by})")
        assert hop.messages[0].is_tls
        assert counted.kinds == [("tlsa", "")]

    run(main(), loop)


@pytest.mark.rfc(7672, "3.1.1")
def test_old_names_and_dates_do_not_matter_with_a_record_for_the_certificate(tmp_path):
    old = self_signed("somebody.else", days=-3)

    async def main():
        with NextHop(tls=context(old, tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port) as office:
                publish(office, hop.port, record_for(old.der))
                await office.put(DOMAIN)
                await office.until("delivered")

    run(main())


BAD = {
    "another certificate": (SERVER, [record_for(OTHER.der)], "validation-failure"),
    "another authority": (SERVER, [record_for(OTHER.der, 2)], "validation-failure"),
    "another name": (
        MIDDLE.server("x.test"),
        [record_for(ROOT.der, 2)],
        "certificate-host-mismatch",
    ),
    "late": (MIDDLE.server(HOST, days=-1), [record_for(ROOT.der, 2)], "certificate-expired"),
}


@pytest.mark.rfc(7672, "2.2")
@pytest.mark.parametrize("case", BAD)
def test_who_does_not_gets_none(tmp_path, case):
    paper, records, kind = BAD[case]

    async def main():
        with NextHop(tls=context(paper, tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, *records)
                office.start()
                await office.put(DOMAIN)
                await office.until("deferred")
                ((_, _, _, status, reply, _),) = await office.attempts()
        assert (status, hop.messages) == ("4.7.5", [])
        assert "DANE: " in str(reply)
        assert not any(line.startswith(b"MAIL") for line in hop.commands)
        assert counted.kinds == [("tlsa", kind)]
        assert counted[0].failure is not None
        assert (counted[0].failure.sending_ip, counted[0].failure.receiving_mx) == (
            "127.0.0.1",
            HOST,
        )

    run(main())


@pytest.mark.rfc(7672, "2.2")
@pytest.mark.parametrize(
    ("behaviour", "offers"),
    [
        ({}, False),
        ({"STARTTLS": "454 4.7.0 No"}, True),
        ({"TLS": DROP}, True),
        ({"TLS": b"garbage"}, True),
    ],
    ids=["stripped", "refused", "dropped", "garbage"],
)
@pytest.mark.parametrize("is_usable", [True, False], ids=["usable", "unusable"])
def test_nothing_goes_in_clear(tmp_path, behaviour, offers, is_usable):
    """Neither with records that nobody can use: they still say that there is TLS."""

    async def main():
        tls = context(SERVER, tmp_path) if offers else None
        with NextHop(behaviour, tls=tls) as hop:
            async with post_office(tmp_path / "o", port=hop.port) as office:
                usage = 3 if is_usable else 1
                publish(office, hop.port, record_for(SERVER.der)._replace(usage=usage))
                await office.put(DOMAIN)
                await office.until("deferred")
        assert hop.messages == []
        assert not any(line.startswith(b"MAIL") for line in hop.commands)

    run(main())


@pytest.mark.rfc(8689, "4.2.2")
@pytest.mark.parametrize(
    ("records", "offers", "shown"),
    [
        ([record_for(OTHER.der)], True, "TLSv1.3"),
        ([record_for(OTHER.der)], False, ""),
        ([Bogus("forged")], True, "TLSv1.3"),
    ],
    ids=["another certificate", "no TLS", "bogus"],
)
def test_who_waives_tls_is_not_kept_back(tmp_path, records, offers, shown):
    async def main():
        with NextHop(tls=context(SERVER, tmp_path) if offers else None) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, *records)
                office.start()
                await office.put(DOMAIN, waives_tls=True)
                await office.until("delivered")
                tls = await tls_of(office)
        assert tls.startswith(shown)
        assert "verified" not in tls
        assert counted.kinds == []  # RFC 8460 §3
        (only,) = hop.messages
        assert only.is_tls is offers

    run(main())


@pytest.mark.rfc(7672, "2.2")
def test_records_that_nobody_can_use_ask_for_tls_with_anybody(tmp_path):
    async def main():
        with NextHop(tls=context(self_signed("x.test", days=-1), tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, record_for(SERVER.der)._replace(usage=0))
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
                assert (await tls_of(office)).endswith("(DANE without usable records)")
        assert hop.messages[0].is_tls
        assert counted.kinds == [("tlsa", "tlsa-invalid")]

    run(main())


@pytest.mark.rfc(7672, "2.1.2")
@pytest.mark.parametrize(
    "trouble", [Bogus("wrong signatures"), Trouble("SERVFAIL")], ids=["bogus", "trouble"]
)
def test_a_look_up_that_fails_takes_no_protection_away(tmp_path, trouble):
    async def main():
        with NextHop(tls=context(SERVER, tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, trouble)
                office.start()
                await office.put(DOMAIN)
                await office.until("deferred")
                assert await office.rows("SELECT status FROM attempt") == [("4.7.5",)]
        assert hop.connections == 0
        assert counted.kinds == ([("tlsa", "dnssec-invalid")] if isinstance(trouble, Bogus) else [])

    run(main())


@pytest.mark.rfc(7672, "2.1.2")
@pytest.mark.parametrize(
    "first", [record_for(OTHER.der), Bogus("wrong")], ids=["mismatch", "bogus"]
)
def test_the_next_host_may_prove_itself(tmp_path, first):
    async def main():
        tls = context(SERVER, tmp_path)
        one = NextHop(tls=tls, address="127.0.0.1")
        two = NextHop(tls=tls, address="127.0.0.2", port=one.port)
        with one, two:
            async with post_office(tmp_path / "o", port=one.port) as office:
                publish(office, one.port, first, host="mx1.test")
                publish(office, one.port, record_for(SERVER.der), host="mx2.test")
                await office.put(DOMAIN)
                await office.until("delivered")
        assert (len(one.messages), len(two.messages)) == (0, 1)

    run(main())


@pytest.mark.rfc(7672, "2.2")
def test_what_nobody_vouches_for_counts_for_nothing(tmp_path):
    """Not even asked for: the domain is not signed."""

    async def main():
        with NextHop(tls=context(SERVER, tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, record_for(OTHER.der))
                office.zone.is_authentic = False
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
                assert office.zone.asked == [DOMAIN]
        assert hop.messages[0].is_tls
        assert counted.kinds == [("no-policy-found", "")]

    run(main())


def test_what_a_domain_without_records_costs(tmp_path):
    """One question for each host, and mail goes as ever; even in clear, which reports tell."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                publish(office, hop.port, NoData("none", is_authentic=True))
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
                assert office.zone.asked == [DOMAIN, f"_{hop.port}._tcp.{HOST}"]
        assert counted.kinds == [("no-policy-found", "starttls-not-supported")]

    run(main())


@pytest.mark.rfc(8689, "4.2.1")
def test_requiretls_with_dane(tmp_path):
    """No public authority is needed where TLSA records vouch for the server."""

    async def main():
        with NextHop(tls=context(SERVER, tmp_path), extensions=("PIPELINING", "REQUIRETLS")) as hop:
            async with post_office(tmp_path / "o", port=hop.port) as office:
                publish(office, hop.port, record_for(SERVER.der))
                await office.put(DOMAIN, needs_tls=True)
                await office.until("delivered")
        assert b"REQUIRETLS" in hop.messages[0].mail

    run(main())


def test_dane_can_be_turned_off(tmp_path):
    async def main():
        with NextHop(tls=context(SERVER, tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                office.site = replace(office.site, ways=replace(office.site.ways, uses_dane=False))
                publish(office, hop.port, record_for(OTHER.der))
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
                assert office.zone.asked == [DOMAIN]

    run(main())


@pytest.mark.rfc(7672, "2.2")
def test_what_is_said_when_there_is_no_starttls(tmp_path):
    """Who insists on it, too; the mail waits, and nothing of it went in clear."""

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, port=hop.port) as office:
                publish(office, hop.port, record_for(SERVER.der))
                await office.put(DOMAIN)
                await office.until("deferred")
                assert await office.rows("SELECT status, reply, tls FROM attempt") == [
                    ("4.7.4", "TLS is required, and the next server does not offer it (DANE)", "")
                ]
        assert not any(line.startswith(b"MAIL") for line in hop.commands)

    run(main())
