"""Which hosts get the mail of a domain, and what the DNS may say."""

import pytest

from jobs.post_office import post_office, run
from mailserver.mailauth.resolver import NoSuchDomain, Trouble
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
