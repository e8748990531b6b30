"""MTA-STS policies of other domains, obeyed: real handshakes, policies that the test makes.

RFC 8461 §5: with "enforce" nothing goes to hosts that the policy does not name, nor without a valid certificate; with
"testing" it goes, and the domain is told.
"""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from certificates import Paper, authority, self_signed
from jobs.post_office import Office, post_office, run
from jobs.test_dane import Counted, publish, tls_of
from mailserver.mailauth.mta_sts import Found, Mode, Policy
from mailserver.mailauth.tlsa import record_for
from mailserver.net.smtp_tls import ClientTls
from mailserver.net.tls import ServerTls
from misbehaving import DROP, NextHop

DOMAIN, HOST = "elsewhere.test", "mx1.elsewhere.test"
ROOT = authority("Public root")
SERVER = ROOT.server(HOST)


class Policies:
    """One policy for everybody."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.asked: list[str] = []

    async def find(self, domain: str) -> Found:
        self.asked.append(domain)
        return self.found

    async def refresh(self) -> int:
        return 0


def context(paper: Paper, folder: Path) -> ssl.SSLContext:
    return ServerTls(paper.files(folder, "hop")).context


def obey(office: Office, found: Found, hosts: dict[str, str]) -> Policies:
    """The domain's hosts, nothing signed, and its policy."""
    policies = Policies(found)
    office.site = replace(office.site, ways=replace(office.site.ways, policies=policies))
    office.zone.mx_of[DOMAIN] = [(10 * n, host) for n, host in enumerate(hosts)]
    office.zone.hosts |= {host: [address] for host, address in hosts.items()}
    return policies


def policy(mode: Mode, *mx: str) -> Found:
    return Found(Policy(mode, mx or (HOST,), 86_400))


@pytest.fixture
def trusting(tmp_path: Path) -> ClientTls:
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    return ClientTls(tmp_path / "root.pem")


@pytest.mark.rfc(8461, "4.2", "5")
@pytest.mark.parametrize("mx", [(HOST,), ("*.elsewhere.test",), ("other.test", HOST)])
def test_a_host_that_the_policy_names(tmp_path, trusting, mx):
    async def main():
        with NextHop(tls=context(SERVER, tmp_path)) as hop:
            async with post_office(
                tmp_path / "o", port=hop.port, started=False, tls=trusting
            ) as office:
                counted = Counted().of(office)
                obey(office, policy(Mode.ENFORCE, *mx), {HOST: "127.0.0.1"})
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
                assert (await tls_of(office)).endswith(" verified (MTA-STS)")
        assert hop.messages[0].is_tls
        assert counted.kinds == [("sts", "")]
        assert counted[0].policy.mx_hosts == mx
        assert counted[0].policy.text[0] == "version: STSv1"

    run(main())


BAD = {
    "self-signed": (self_signed(HOST), {}, "certificate-not-trusted"),
    "name": (ROOT.server("other.test"), {}, "certificate-host-mismatch"),
    "late": (ROOT.server(HOST, days=-1), {}, "certificate-expired"),
    "stripped": (None, {}, "starttls-not-supported"),
    "refused": (SERVER, {"STARTTLS": "454 4.7.0 No"}, "starttls-not-supported"),
    "dropped": (SERVER, {"TLS": DROP}, "validation-failure"),
}


@pytest.mark.rfc(8461, "5")
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.TESTING])
def test_a_host_that_proves_nothing(tmp_path, trusting, case, mode):
    """It gets nothing, not even in clear; or all of it, and a report."""
    paper, behaviour, kind = BAD[case]

    async def main():
        tls = context(paper, tmp_path) if paper is not None else None
        with NextHop(behaviour, tls=tls) as hop:
            async with post_office(
                tmp_path / "o", port=hop.port, started=False, tls=trusting
            ) as office:
                counted = Counted().of(office)
                obey(office, policy(mode), {HOST: "127.0.0.1"})
                office.start()
                await office.put(DOMAIN)
                await office.until("deferred" if mode is Mode.ENFORCE else "delivered")
        assert len(hop.messages) == (mode is Mode.TESTING)
        if mode is Mode.TESTING:
            assert hop.messages[0].is_tls == (case in ("self-signed", "name", "late"))
        assert counted.kinds == [("sts", kind)]

    run(main())


@pytest.mark.rfc(8461, "4.1")
def test_a_host_that_the_policy_does_not_name(tmp_path, trusting):
    """It is passed over; the next one takes the mail."""

    async def main():
        tls = context(SERVER, tmp_path)
        one = NextHop(tls=tls, address="127.0.0.1")
        two = NextHop(tls=tls, address="127.0.0.2", port=one.port)
        with one, two:
            async with post_office(
                tmp_path / "o", port=one.port, started=False, tls=trusting
            ) as office:
                counted = Counted().of(office)
                hosts = {"evil.test": "127.0.0.1", HOST: "127.0.0.2"}
                obey(office, policy(Mode.ENFORCE), hosts)
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
        assert (one.connections, len(two.messages)) == (0, 1)
        assert counted.kinds == [("sts", "validation-failure"), ("sts", "")]

    run(main())


@pytest.mark.rfc(8461, "4.1", "5")
def test_no_host_that_the_policy_names(tmp_path, trusting):
    async def main():
        with NextHop(tls=context(SERVER, tmp_path)) as hop:
            async with post_office(
                tmp_path / "o", port=hop.port, started=False, tls=trusting
            ) as office:
                obey(office, policy(Mode.ENFORCE, "mx2.elsewhere.test"), {HOST: "127.0.0.1"})
                office.start()
                await office.put(DOMAIN)
                await office.until("deferred")
                ((_, _, _, status, reply, _),) = await office.attempts()
        assert (hop.connections, status) == (0, "4.7.5")
        assert "does not name mx1.elsewhere.test" in str(reply)

    run(main())


@pytest.mark.rfc(8461, "4.1", "5")
def test_a_trial_of_a_host_that_the_policy_does_not_name(tmp_path, trusting):
    async def main():
        with NextHop(tls=context(SERVER, tmp_path)) as hop:
            async with post_office(
                tmp_path / "o", port=hop.port, started=False, tls=trusting
            ) as office:
                counted = Counted().of(office)
                obey(office, policy(Mode.TESTING, "mx2.elsewhere.test"), {HOST: "127.0.0.1"})
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
        assert counted.kinds == [("sts", "validation-failure")]

    run(main())


@pytest.mark.rfc(8461, "2")
def test_dane_goes_before(tmp_path, trusting):
    """What DANE refuses a valid certificate does not save; what it proves needs none."""

    async def main():
        own = self_signed(HOST)
        for paper, record, state in (
            (SERVER, record_for(own.der), "deferred"),
            (own, record_for(own.der), "delivered"),
        ):
            folder = tmp_path / state
            with NextHop(tls=context(paper, folder)) as hop:
                async with post_office(
                    folder / "o", port=hop.port, started=False, tls=trusting
                ) as office:
                    obey(office, policy(Mode.ENFORCE), {})
                    publish(office, hop.port, record)
                    office.start()
                    await office.put(DOMAIN)
                    await office.until(state)

    run(main())


@pytest.mark.rfc(8461, "3.4")
@pytest.mark.parametrize(("mx", "state"), [("hub.test", "delivered"), (HOST, "deferred")])
def test_a_next_hop_of_the_configuration_has_the_policy_of_its_name(tmp_path, trusting, mx, state):
    async def main():
        with NextHop(tls=context(ROOT.server("hub.test"), tmp_path)) as hop:
            async with post_office(tmp_path / "o", started=False, tls=trusting) as office:
                policies = obey(office, policy(Mode.ENFORCE, mx), {})
                office.zone.hosts["hub.test"] = ["127.0.0.1"]
                office.start()
                await office.put(f"smtp:hub.test:{hop.port}")
                await office.until(state)
        assert policies.asked == ["hub.test"]
        assert [message.is_tls for message in hop.messages] == [True] * (state == "delivered")

    run(main())


@pytest.mark.rfc(8461, "3.4")
def test_next_hops_without_a_name_have_no_policy(tmp_path, trusting):
    async def main():
        with NextHop(tls=context(self_signed("x.test"), tmp_path)) as hop:
            async with post_office(tmp_path / "o", started=False, tls=trusting) as office:
                policies = obey(office, policy(Mode.ENFORCE), {})
                office.start()
                await office.put(f"smtp:127.0.0.1:{hop.port}")
                await office.until("delivered")
        assert policies.asked == []

    run(main())


def test_a_policy_that_could_not_be_fetched(tmp_path):
    """Mail goes as it would without, and the domain hears of it."""

    async def main():
        with NextHop(tls=context(self_signed("x.test"), tmp_path)) as hop:
            async with post_office(tmp_path / "o", port=hop.port, started=False) as office:
                counted = Counted().of(office)
                obey(office, Found(None, "sts-policy-fetch-error", "gone"), {HOST: "127.0.0.1"})
                office.start()
                await office.put(DOMAIN)
                await office.until("delivered")
        assert counted.kinds == [("no-policy-found", ""), ("sts", "sts-policy-fetch-error")]

    run(main())


@pytest.mark.rfc(8689, "4.2.1")
@pytest.mark.parametrize(("mx", "state"), [(HOST, "delivered"), ("other.test", "failed")])
def test_requiretls_with_a_policy_that_names_the_host(tmp_path, trusting, mx, state):
    """Nothing is signed: the policy proves whose host it is."""

    async def main():
        tls = context(SERVER, tmp_path)
        with NextHop(tls=tls, extensions=("PIPELINING", "REQUIRETLS")) as hop:
            async with post_office(
                tmp_path / "o", port=hop.port, started=False, tls=trusting
            ) as office:
                obey(office, policy(Mode.TESTING, mx), {HOST: "127.0.0.1"})
                office.start()
                await office.put(DOMAIN, needs_tls=True)
                await office.until(state)
        assert len(hop.messages) == (state == "delivered")

    run(main())
