"""MTA-STS policies: fetched, kept over restarts and failures, renewed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import pytest

from certificates import authority, self_signed
from mailauth.zone import Zone
from mailserver.base.limits import StsLimits
from mailserver.mailauth.mta_sts import Found, Mode, Policy
from mailserver.mailauth.resolver import NoSuchDomain
from mailserver.net.dns import Addresses
from mailserver.net.https import Https, HttpsError, Response
from mailserver.net.sts import Policies
from mailserver.net.tls import ServerTls
from mailserver.store.policies import PolicyFile, kept_policies
from webserver import WebServer, page

DOMAIN = "there.example"
TEXT = b"version: STSv1\nmode: enforce\nmx: mx.there.example\nmax_age: 86400\n"
POLICY = Policy(Mode.ENFORCE, ("mx.there.example",), 86_400)


@dataclass
class Web:
    """What the web server says: a response, or an error."""

    answer: Response | HttpsError = field(default_factory=lambda: Response(200, "text/plain", TEXT))
    asked: list[str] = field(default_factory=list)

    async def get(self, host: str, path: str, *, most: int, timeout_s: float) -> Response:
        self.asked.append(f"https://{host}{path}")
        await asyncio.sleep(0)
        if isinstance(self.answer, HttpsError):
            raise self.answer
        return self.answer


@dataclass
class World:
    """One process and what is around it.  now: UTC epoch seconds."""

    folder: Path
    web: Web = field(default_factory=Web)
    zone: Zone = field(default_factory=Zone)
    now: float = 1_800_000_000.0
    limits: StsLimits = field(default_factory=StsLimits)

    def publish(self, id: str = "1") -> None:
        self.zone = Zone(f'_mta-sts.{DOMAIN} TXT "v=STSv1; id={id};"' if id else "")

    def start(self) -> Policies:
        return Policies(self, self.web, PolicyFile(self.folder), self.limits, lambda: self.now)

    async def txt(self, name: str) -> object:
        return await self.zone.txt(name)


def run(tmp_path: Path, story: Callable[[World], Awaitable[None]], **more: object) -> None:
    world = World(tmp_path, **more)  # type: ignore[arg-type]
    world.publish()
    asyncio.run(asyncio.wait_for(story(world), 20))


@pytest.mark.rfc(8461, "3.3")
def test_a_policy_is_fetched_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        policies = world.start()
        found = await asyncio.gather(*(policies.find(DOMAIN) for _ in range(5)))
        assert found == [Found(POLICY)] * 5
        assert await policies.find(DOMAIN) == Found(POLICY)
        assert world.web.asked == ["https://mta-sts.there.example/.well-known/mta-sts.txt"]

    run(tmp_path, story)


def test_no_record_no_question(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.publish("")
        assert await world.start().find(DOMAIN) == Found()
        assert world.web.asked == []

    run(tmp_path, story)


@pytest.mark.rfc(8461, "5.1")
@pytest.mark.parametrize(
    "line", ["", "_mta-sts.there.example TROUBLE", "_mta-sts.there.example BOGUS"]
)
def test_what_is_kept_holds_whatever_the_dns_says(tmp_path: Path, line: str) -> None:
    """Over a restart too, until it runs out."""

    async def story(world: World) -> None:
        await world.start().find(DOMAIN)
        world.zone = Zone(line)
        world.now += 86_000
        assert await world.start().find(DOMAIN) == Found(POLICY)
        world.now += 1_000
        assert await world.start().find(DOMAIN) == Found()
        assert len(world.web.asked) == 1

    run(tmp_path, story)


def test_a_resolver_that_says_nothing_delays_nobody_for_long(tmp_path: Path) -> None:
    """What is kept counts meanwhile."""

    class Silent(World):
        async def txt(self, name: str) -> object:
            await asyncio.sleep(60)
            raise AssertionError

    async def story(world: World) -> None:
        await world.start().find(DOMAIN)
        silent = Silent(tmp_path, limits=StsLimits(record_s=0.1))
        assert await silent.start().find(DOMAIN) == Found(POLICY)
        assert await silent.start().find("other.example") == Found()

    run(tmp_path, story)


FAILURES = {
    "certificate": (HttpsError("bad", is_untrusted=True), "sts-webpki-invalid"),
    "silence": (HttpsError("silence"), "sts-policy-fetch-error"),
    "gone": (Response(404, "text/plain", TEXT), "sts-policy-fetch-error"),
    "redirect": (Response(301, "text/plain", b""), "sts-policy-fetch-error"),
    "html": (Response(200, "text/html", TEXT), "sts-policy-invalid"),
    "nonsense": (Response(200, "text/plain", b"hello"), "sts-policy-invalid"),
}


@pytest.mark.rfc(8461, "3.3")
@pytest.mark.parametrize("name", FAILURES)
def test_a_fetch_that_fails(tmp_path: Path, name: str) -> None:
    """Without a policy there is none; a kept one goes on; nobody asks again at once."""
    answer, kind = FAILURES[name]

    async def story(world: World) -> None:
        world.web.answer = answer
        policies = world.start()
        found = await policies.find(DOMAIN)
        assert (found.policy, found.failure) == (None, kind)
        assert await policies.find(DOMAIN) == found
        assert len(world.web.asked) == 1
        world.now += 301
        world.web.answer = Response(200, "text/plain", TEXT)
        assert await policies.find(DOMAIN) == Found(POLICY)
        world.publish("2")
        world.web.answer = answer
        found = await policies.find(DOMAIN)
        assert (found.policy, found.failure) == (POLICY, kind)
        assert len(world.web.asked) == 3

    run(tmp_path, story)


@pytest.mark.rfc(8461, "3.1")
def test_another_id_is_another_policy(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        policies = world.start()
        await policies.find(DOMAIN)
        world.publish("2")
        world.web.answer = Response(200, "text/plain", TEXT.replace(b"enforce", b"testing"))
        found = await policies.find(DOMAIN)
        assert found.policy is not None
        assert found.policy.mode is Mode.TESTING
        (kept,) = kept_policies(tmp_path, 10)
        assert (kept.id, kept.domain) == ("2", DOMAIN)

    run(tmp_path, story)


@pytest.mark.rfc(8461, "10.2")
def test_policies_are_renewed_before_they_run_out(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.web.answer = Response(200, "text/plain", TEXT.replace(b"86400", b"604800"))
        policies = world.start()
        await policies.find(DOMAIN)
        assert await policies.refresh() == 0
        for _ in range(20):
            world.now += 86_401
            assert await world.start().refresh() == 1
        world.web.answer = HttpsError("down")
        world.now += 86_401
        assert (
            await policies.refresh() == 0
        )  # it knows the first only, and leaves the file as it is
        later = world.start()
        assert await later.refresh() == 0
        assert (await later.find(DOMAIN)).policy is not None
        world.now += 31 * 86_400
        assert await later.refresh() == 0
        assert kept_policies(tmp_path, 10) == []

    run(tmp_path, story)


@pytest.mark.rfc(8461, "10.2")
@pytest.mark.parametrize("line", ["", f"_mta-sts.{DOMAIN} TROUBLE"])
def test_a_policy_is_renewed_without_its_record_too(tmp_path: Path, line: str) -> None:
    """Who keeps the record from us does not see the policy run out while its web server has it."""

    async def story(world: World) -> None:
        policies = world.start()
        await policies.find(DOMAIN)
        world.zone = Zone(line)
        for _ in range(3):
            world.now += 82_801
            await policies.refresh()
            assert await policies.find(DOMAIN) == Found(POLICY)

    run(tmp_path, story, limits=StsLimits(refresh_s=43_200))


@pytest.mark.rfc(8461, "3.3")
@pytest.mark.parametrize("mode", ["enforce", "none"])
def test_operators_hear_of_policies_that_cannot_be_renewed(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        world.web.answer = Response(200, "text/plain", TEXT.replace(b"enforce", mode.encode()))
        policies = world.start()
        await policies.find(DOMAIN)
        world.web.answer = HttpsError("down")
        world.now += 43_201
        assert await policies.refresh() == 0

    run(tmp_path, story, limits=StsLimits(refresh_s=43_200))
    told = [r for r in caplog.records if "could not be fetched anew" in r.getMessage()]
    assert bool(told) == (mode == "enforce")


def test_what_nobody_needs_runs_out(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.web.answer = Response(200, "text/plain", TEXT.replace(b"86400", b"31557600"))
        policies = world.start()
        await policies.find(DOMAIN)
        world.now += 31 * 86_400
        assert await policies.refresh() == 0
        assert await policies.find(DOMAIN) == Found(
            POLICY.__class__(Mode.ENFORCE, POLICY.mx, 31_557_600)
        )
        assert await policies.refresh() == 1  # it was used again

    run(tmp_path, story)


def test_bounds(tmp_path: Path) -> None:
    """The one unused for longest goes; a policy for no time at all is not fetched for each message."""

    async def story(world: World) -> None:
        world.web.answer = Response(200, "text/plain", TEXT.replace(b"86400", b"0"))
        world.zone = Zone("\n".join(f'_mta-sts.d{n}.example TXT "v=STSv1; id=1"' for n in range(5)))
        policies = world.start()
        for n in range(5):
            await policies.find(f"d{n}.example")
            await policies.find(f"d{n}.example")
        assert len(world.web.asked) == 5
        assert [kept.domain for kept in kept_policies(tmp_path, 10)] == ["d3.example", "d4.example"]

    run(tmp_path, story, limits=StsLimits(policies=2))


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        (tmp_path / "policies.db").write_bytes(b"no database" * 1_000)
        policies = world.start()
        assert await policies.find(DOMAIN) == Found(POLICY)
        assert await policies.find(DOMAIN) == Found(POLICY)
        await policies.close()

    run(tmp_path, story)


class Names:
    async def addresses(self, host: str) -> Addresses:
        if host != f"mta-sts.{DOMAIN}":
            raise NoSuchDomain(host)
        return Addresses(("127.0.0.1",), False, 60)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_real_web_server(tmp_path: Path, is_trusted: bool) -> None:
    root = authority("Web root")
    name = f"mta-sts.{DOMAIN}"
    paper = root.server(name) if is_trusted else self_signed(name)
    (tmp_path / "root.pem").write_bytes(root.pem)

    class Here(Https):
        """Asks the port of the test."""

        async def get(
            self, host: str, path: str, *, most: int, timeout_s: float, port: int = 443
        ) -> Response:
            return await super().get(host, path, most=most, timeout_s=timeout_s, port=web.port)

    async def story(world: World) -> None:
        policies = Policies(
            world,
            Here(Names(), tmp_path / "root.pem", [ip_network("127.0.0.0/8")]),
            PolicyFile(tmp_path),
            world.limits,
            lambda: 0.0,
        )
        found = await policies.find(DOMAIN)
        assert (found.policy, found.failure) == (
            (POLICY, "") if is_trusted else (None, "sts-webpki-invalid")
        )

    with WebServer(ServerTls(paper.files(tmp_path, "web")).context, page(200, TEXT)) as web:
        run(tmp_path, story)
