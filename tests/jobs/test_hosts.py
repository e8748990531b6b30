"""Which hosts get the mail of a domain, and what the DNS may say."""

from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import pytest

from jobs.post_office import post_office, run
from mailserver.mailauth.resolver import NoSuchDomain, Trouble
from mailserver.net.public import may_reach
from misbehaving import DROP, NextHop


def two_hops(behaviour):
    first = NextHop(behaviour, address="127.0.0.1")
    second = NextHop(address="127.0.0.2", port=first.port)
    return first, second


@pytest.mark.rfc(5321, "5.1")
@pytest.mark.parametrize(
    "behaviour",
    [
        {"GREETING": "421 4.3.2 Not here"},
        {"GREETING": "554 5.3.2 Never here"},
        {"GREETING": DROP},
        {"MAIL": "452 4.3.1 Disk full"},
        {"DATA": DROP},
        {"END": "451 4.3.0 Cannot store it"},
    ],
    ids=lambda b: "-".join(map(str, b)) if isinstance(b, dict) else b,
)
def test_the_next_host_takes_what_the_first_cannot(tmp_path, behaviour):
    async def main():
        first, second = two_hops(behaviour)
        with first, second:
            async with post_office(tmp_path, port=first.port) as office:
                office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test"), (20, "mx2.test")]
                office.zone.hosts |= {"mx1.test": ["127.0.0.1"], "mx2.test": ["127.0.0.2"]}
                await office.put("elsewhere.test")
                await office.until("delivered")
                assert await office.rows("SELECT host FROM attempt") == [("mx2.test",)]
        assert len(second.messages) == 1

    run(main())


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [
        ({"RCPT": "450 4.2.2 Mailbox full"}, "deferred"),
        ({"RCPT": "550 5.1.1 Nobody"}, "failed"),
        ({"END": DROP}, "deferred"),
        ({"END": "554 5.7.1 Spam"}, "failed"),
    ],
    ids=lambda b: "-".join(map(str, b)) if isinstance(b, dict) else b,
)
def test_the_next_host_is_not_asked_for_another_opinion(tmp_path, behaviour, state):
    async def main():
        first, second = two_hops(behaviour)
        with first, second:
            async with post_office(tmp_path, port=first.port) as office:
                office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test"), (20, "mx2.test")]
                office.zone.hosts |= {"mx1.test": ["127.0.0.1"], "mx2.test": ["127.0.0.2"]}
                await office.put("elsewhere.test")
                await office.until(state)
        assert second.connections == 0

    run(main())


@pytest.mark.rfc(5321, "5.1")
@pytest.mark.rfc(7505, "4.1")
@pytest.mark.parametrize(
    ("mx", "hosts", "state", "status"),
    [
        ([(0, "")], {}, "failed", "5.1.10"),
        (NoSuchDomain("no such domain"), {}, "failed", "5.1.2"),
        (Trouble("SERVFAIL"), {}, "deferred", "4.4.3"),
        ([(10, "mail.example.test")], {}, "failed", "5.4.6"),
        ([(10, "mx.test")], {"mx.test": NoSuchDomain("x")}, "failed", "5.4.4"),
        ([(10, "mx.test")], {"mx.test": []}, "failed", "5.4.4"),
        ([(10, "mx.test")], {"mx.test": Trouble("timeout")}, "deferred", "4.4.3"),
        ([(10, "a.test"), (20, "b.test")], {"b.test": Trouble("x")}, "deferred", "4.4.3"),
        ([], {}, "failed", "5.1.2"),
        ([], {"elsewhere.test": []}, "failed", "5.1.2"),
    ],
)
def test_what_the_dns_says(tmp_path, mx, hosts, state, status):
    async def main():
        async with post_office(tmp_path) as office:
            office.zone.mx_of["elsewhere.test"] = mx
            office.zone.hosts |= hosts
            await office.put("elsewhere.test", "b@elsewhere.test")
            await office.put("elsewhere.test", "c@elsewhere.test")
            await office.until(state, state if state == "failed" else "pending")
            attempts = await office.attempts()
            suppressed = await office.rows("SELECT address FROM suppression ORDER BY 1")
        assert {a[3] for a in attempts} == {status}
        wanted = [("b@elsewhere.test",), ("c@elsewhere.test",)] if status == "5.1.10" else []
        assert suppressed == wanted

    run(main())


@pytest.mark.parametrize("listener", [True, False])
def test_mail_is_never_sent_to_ourselves(tmp_path, listener):
    async def main():
        with NextHop() as hop:
            async with post_office(
                tmp_path,
                port=hop.port,
                is_own=lambda a, p: listener and (a, p) == ("127.0.0.1", hop.port),
            ) as office:
                office.zone.hosts["elsewhere.test"] = ["127.0.0.1"]
                await office.put("elsewhere.test")
                await office.until("failed" if listener else "delivered")
        assert bool(hop.connections) is not listener

    run(main())


def test_address_literals_and_implicit_mx(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, port=hop.port) as office:
                office.zone.hosts["elsewhere.test"] = ["127.0.0.1"]
                await office.put("[127.0.0.1]")
                await office.put("elsewhere.test")
                await office.until("delivered", "delivered")
                assert office.zone.asked == ["elsewhere.test"]

    run(main())


@asynccontextmanager
async def cautious(folder, *networks, port=25):
    """Mail may go to the Internet and to *networks*; the server itself listens at 127.0.0.9 and *port*."""
    allowed = [ip_network(one) for one in networks]
    async with post_office(folder, port=port, started=False) as office:
        ways = replace(
            office.site.ways,
            may_mail=lambda address: may_reach(address, allowed),
            is_own=lambda address, at: (address, at) == ("127.0.0.9", port),
        )
        office.site = replace(office.site, ways=ways)
        office.start()
        yield office


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "::ffff:127.0.0.1"]
)
def test_others_names_lead_no_mail_to_this_machine(tmp_path, address):
    async def main():
        with NextHop() as hop:
            async with cautious(tmp_path, port=hop.port) as office:
                office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test")]
                office.zone.hosts["mx1.test"] = [address]
                await office.put("elsewhere.test")
                await office.until("failed")
                ((status, reply, host),) = await office.rows(
                    "SELECT status, reply, host FROM attempt"
                )
                assert (status, host) == ("5.4.4", "mx1.test")
                assert (
                    reply == f"the mail server's address {address} is not one that mail can go to"
                )
        assert not hop.connections

    run(main())


def test_an_address_literal_is_no_way_round(tmp_path):
    async def main():
        with NextHop() as hop:
            async with cautious(tmp_path, port=hop.port) as office:
                await office.put("[127.0.0.1]", "a@[127.0.0.1]")
                await office.until("failed")
        assert not hop.connections

    run(main())


def test_another_host_or_address_takes_it(tmp_path):
    """What is forbidden is passed over, and what the operator allows is not forbidden."""

    async def main():
        first, second = two_hops({})
        with first, second:
            async with cautious(tmp_path, "127.0.0.2/32", port=first.port) as office:
                office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test"), (20, "mx2.test")]
                office.zone.hosts |= {
                    "mx1.test": ["127.0.0.1"],
                    "mx2.test": ["127.0.0.1", "127.0.0.2"],
                }
                await office.put("elsewhere.test")
                await office.until("delivered")
        assert (first.connections, len(second.messages)) == (0, 1)

    run(main())


def test_what_the_operator_names_may_be_anywhere(tmp_path):
    async def main():
        with NextHop() as hop:
            async with cautious(tmp_path) as office:
                await office.put(f"smtp:127.0.0.1:{hop.port}")
                await office.until("delivered")

    run(main())


def test_mail_that_leads_back_to_us_is_a_loop_whatever_the_networks(tmp_path):
    async def main():
        async with cautious(tmp_path, port=2525) as office:
            office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test")]
            office.zone.hosts["mx1.test"] = ["127.0.0.9"]
            await office.put("elsewhere.test")
            await office.until("failed")
            assert await office.rows("SELECT status FROM attempt") == [("5.4.6",)]

    run(main())


@pytest.mark.rfc(7672, "2.2")
def test_nothing_more_is_asked_of_a_host_that_gets_no_mail(tmp_path):
    async def main():
        async with cautious(tmp_path) as office:
            office.zone.is_authentic = True
            office.zone.mx_of["elsewhere.test"] = [(10, "mx1.test")]
            office.zone.hosts["mx1.test"] = ["127.0.0.1"]
            await office.put("elsewhere.test")
            await office.until("failed")
            assert not [name for name in office.zone.asked if name.startswith("_")]

    run(main())
