"""`dns records` and `dns check`: what is printed is taken by name servers, and found right once it is there."""

import asyncio
import contextlib
import json
import re
import subprocess
import time

import pytest

from dnslab import running
from mailserver.app import published
from mailserver.app.config import Config
from mailserver.app.load import load
from mailserver.net.published.compare import Finding, Status
from mailserver.net.published.looking import Seen
from mailserver.net.published.records import Kind, Need
from mailserver.store.store import Store

HEAD = "$TTL 60\n@ SOA ns1 hostmaster 1 600 300 86400 30\n@ NS ns1\nns1 A 127.0.0.1\n"
HOST = "mail.example.test"
ADDRESS = "127.0.0.7"


@pytest.fixture
def example(cli, tmp_path):
    """The command line with example.test in it, and a certificate."""
    assert cli("domain add example.test").status == 0
    folder = tmp_path / "data" / "tls"
    folder.mkdir()
    from datetime import UTC, datetime

    from mailserver.net.tls import self_signed

    self_signed(folder, HOST, datetime.now(UTC))  # noqa: TID251
    return cli


def records(cli, form, more=""):
    answer = cli(f"dns records example.test --address {ADDRESS} --format {form} {more}")
    assert answer.status == 0, answer.err
    return answer.out


def test_with_an_mta_sts_policy(example):
    """The id is that of the policy that is to be served."""
    assert "_mta-sts" not in records(example, "text")
    assert example("domain set example.test --mta-sts testing").status == 0
    said = example("mta-sts policy example.test --json").json
    assert f"{said['record_name']}  TXT  {said['record']}\n" in records(example, "text")
    assert "mta-sts.example.test  CNAME  mail.example.test.\n" in records(example, "text")


def test_for_people(example):
    out = records(example, "text")
    assert "example.test  MX  10 mail.example.test.\n" in out
    assert "_25._tcp.mail.example.test  TLSA  3 1 1 " in out
    assert "needs its addresses" not in out
    assert "needs its addresses" in example("dns records example.test").out


def test_over_a_smarthost(example):
    assert example("domain set example.test --smarthost hub.example.net:587").status == 0
    assert "v=spf1 mx a:hub.example.net ~all\n" in records(example, "text")
    assert example("domain set example.test --smarthost [2001:db8::9]:25").status == 0
    assert "v=spf1 mx ip6:2001:db8::9 ~all\n" in records(example, "text")


def test_as_json(example):
    rows = json.loads(records(example, "json"))
    assert rows == example(f"dns records example.test --address {ADDRESS} --json").json
    assert {row["for"] for row in rows} >= {
        "mx",
        "spf",
        "dkim",
        "dmarc",
        "tlsa",
        "service",
        "tls-rpt",
    }
    (rsa,) = [row for row in rows if row["value"].startswith("v=DKIM1; k=rsa")]
    assert rsa["zone_value"].count('"') == 4  # two strings


@pytest.mark.rfc(1035, "5.1")
@pytest.mark.needs("named-checkzone")
def test_name_servers_take_it(example, tmp_path):
    ca = "--ca letsencrypt.org --account-uri https://acme.example/1"
    file = tmp_path / "example.test.zone"
    file.write_text(HEAD + records(example, "zone", ca))
    said = subprocess.run(
        ["named-checkzone", "-k", "fail", "example.test", str(file)], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout
    assert "loaded serial 1" in said.stdout


@pytest.mark.needs("knotd", "unbound")
def test_what_was_printed_is_found_right(example, tmp_path):
    """Served by Knot, signed; asked through Unbound and of Knot itself."""
    zone = records(example, "zone")
    with running(tmp_path, {"example.test": zone}, signed={"example.test"}, bogus=()) as lab:
        (tmp_path / "mailserver.yaml").write_text(
            f"hostname: {HOST}\ndns:\n  servers: ['{lab.resolver[0]}:{lab.resolver[1]}']\n"
        )
        answer = example(f"dns check example.test --address {ADDRESS} --no-authorities")
        assert answer.status == 0, answer.out
        assert answer.out.endswith("All is well.\n")
        assert "WRONG" not in answer.out
        assert "MISSING" not in answer.out

        said = example(
            f"dns check example.test --address {ADDRESS} --no-authorities --json"
            f" --resolver 127.0.0.1:{lab.authority[1]}"
        )
        views = said.json["views"]
        assert [view["view"] for view in views] == ["configured", f"127.0.0.1:{lab.authority[1]}"]
        found = {(f["for"], f["name"]): f for f in views[0]["findings"] if f["status"] == "right"}
        assert found["tlsa", f"_25._tcp.{HOST}"]["is_authentic"]

        seen = asyncio.run(_with_authorities(tmp_path, lab.authority[1]))
        assert [view.view for view in seen] == ["configured", "ns1.example.test (127.0.0.1)"]
        assert published.is_good(seen)
        assert len([f for f in seen[1].findings if f.status is Status.RIGHT]) > 10

        assert example("dkim rotate example.test").status == 0
        answer = example(f"dns check example.test --address {ADDRESS} --no-authorities")
        assert answer.status == 1
        assert answer.out.count("MISSING") == 2
        assert "the key signs some time after it is there" in answer.out


async def _with_authorities(folder, port):
    config: Config = load(folder / "mailserver.yaml").config
    store = Store(folder / "data")
    store.open()
    try:
        certificate = published.certificate_file(config)
        assert certificate is not None
        facts = store.read_now(
            lambda tx: published.facts_of(
                tx, config, "example.test", certificates=[certificate], addresses=[ADDRESS]
            )
        )
    finally:
        store.close()
    return await published.check(config, facts, (), 10.0, authority_port=port)


PUBLIC = "9.9.9.9"  #: an address of the Internet, so that somebody looks for its name; its zone is served here


@pytest.fixture(scope="module")
def two_labs(tmp_path_factory):
    """Two corners of the DNS with the names of PUBLIC, each with answers that hold for a second."""
    zones = {"example.test": "@ MX 10 mail\n", "9.9.9.in-addr.arpa": "1 PTR other.test.\n"}
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                running(tmp_path_factory.mktemp(name), zones, {"example.test"}, (), ttl=1)
            )
            for name in ("here", "there")
        ]


def looked(cli, tmp_path, labs, more=""):
    """What is found by the first of *labs*, which is configured, and by the others."""
    (first, *others) = [f"{lab.resolver[0]}:{lab.resolver[1]}" for lab in labs]
    (tmp_path / "mailserver.yaml").write_text(f"hostname: {HOST}\ndns:\n  servers: ['{first}']\n")
    more += "".join(f" --resolver {one}" for one in others)
    time.sleep(2.1)  # nobody remembers what was there: resolvers count whole seconds
    command = f"dns check example.test --address {PUBLIC} --no-authorities --timeout 5 {more}"
    return cli(command), cli(f"{command} --json").json["views"]


def publish(lab, cli, *, pointer, edit=lambda zone: zone, is_bogus=False):
    zone = cli(f"dns records example.test --address {PUBLIC} --format zone").out
    lab.publish("example.test", edit(zone.replace(" 3600 IN ", " 1 IN ")), is_bogus=is_bogus)
    lab.publish("9.9.9.in-addr.arpa", pointer)


def one_of(view, kind, type):
    return next(f for f in view["findings"] if (f["for"], f["type"]) == (kind, type))


@pytest.mark.needs("knotd", "unbound")
@pytest.mark.rfc(1912, "2.1")
@pytest.mark.parametrize(
    ("pointer", "status", "text"),
    [
        (f"9 PTR {HOST}.\n", "right", ""),
        (f"9 PTR pool-9.provider.test.\n9 PTR {HOST.upper()}.\n", "right", ""),
        ("9 PTR pool-9.provider.test.\n", "wrong", f"{PUBLIC} has another name: "),
        ("8 PTR other.test.\n", "missing", f"{PUBLIC} has no name: "),
    ],
)
def test_the_name_of_the_address(example, tmp_path, two_labs, pointer, status, text):
    publish(two_labs[0], example, pointer=pointer)
    answer, (view,) = looked(example, tmp_path, two_labs[:1])
    found = one_of(view, "address", "PTR")
    assert (found["name"], found["status"]) == ("9.9.9.9.in-addr.arpa", status)
    assert found["expected"] == f"{HOST}."
    assert found["text"].startswith(text)
    assert answer.status == (0 if status == "right" else 1)
    assert text in answer.out
    assert ("All is well" in answer.out) == (status == "right")


@pytest.mark.needs("knotd", "unbound")
def test_resolvers_that_disagree(example, tmp_path, two_labs):
    """One has an old policy, another name and no MX; both are heard, and what they see otherwise is said alone."""
    right = f"9 PTR {HOST}.\n"
    publish(two_labs[0], example, pointer=right)
    publish(two_labs[1], example, pointer=right)
    answer, views = looked(example, tmp_path, two_labs)
    assert answer.status == 0
    assert answer.out.count(" sees the same.") == 1
    assert len(views) == 2

    def older(zone):
        lines = [line for line in zone.splitlines() if " MX " not in line]
        return "\n".join(lines).replace("p=quarantine", "p=qarantine") + "\n"

    publish(two_labs[1], example, pointer="9 PTR old.test.\n", edit=older)
    answer, (here, there) = looked(example, tmp_path, two_labs)
    assert answer.status == 1
    assert not any(f["status"] in ("wrong", "missing") for f in here["findings"])
    name = f"127.0.0.1:{two_labs[1].resolver[1]}"
    assert there["view"] == name
    bad = {(f["for"], f["type"], f["status"]) for f in there["findings"]}
    assert bad >= {
        ("mx", "MX", "missing"),
        ("dmarc", "TXT", "wrong"),
        ("address", "PTR", "wrong"),
        ("spf", "TXT", "wrong"),  # it says "mx"
    }
    first, _, second = answer.out.partition(f"{name} sees it otherwise:\n")
    assert "WRONG" not in first
    assert "MISSING" not in first
    assert set(re.findall(r"^(?:WRONG|MISSING) +(\w+)", second, re.MULTILINE)) == {
        "MX",
        "TXT",
        "PTR",
    }
    assert "mail from 9.9.9.9 does not pass" in second


@pytest.mark.needs("knotd", "unbound")
@pytest.mark.rfc(4035, "5")
def test_one_sees_wrong_signatures(example, tmp_path, two_labs):
    """The other has not looked since; its word does not make it right."""
    right = f"9 PTR {HOST}.\n"
    publish(two_labs[0], example, pointer=right)
    publish(two_labs[1], example, pointer=right, is_bogus=True)
    answer, (here, there) = looked(example, tmp_path, two_labs)
    assert answer.status == 1
    assert one_of(here, "mx", "MX")["status"] == "right"
    found = one_of(there, "mx", "MX")
    assert found["status"] == "wrong"
    assert found["text"].startswith("its DNSSEC signatures are wrong")
    publish(two_labs[1], example, pointer=right)  # as the others want it
    assert looked(example, tmp_path, two_labs)[0].status == 0


@pytest.mark.needs("knotd", "unbound")
def test_a_resolver_that_is_not_there(example, tmp_path, two_labs):
    publish(two_labs[0], example, pointer=f"9 PTR {HOST}.\n")
    answer, views = looked(example, tmp_path, two_labs[:1], more="--resolver 127.0.0.1:9")
    assert len(views) == 2
    assert "127.0.0.1:9: no record could be looked up: 127.0.0.1: Connection refused" in answer.out
    assert "could not be looked up." in answer.out.splitlines()[-1]
    assert answer.status == 0  # a stranger's resolver that is away says nothing of our records


@pytest.mark.needs("knotd", "unbound")
def test_the_name_of_an_address_that_only_sends(example, tmp_path, two_labs, monkeypatch):
    monkeypatch.setenv("MAILSERVER_OUTBOUND__SOURCE_ADDRESSES", '["9.9.9.10"]')
    both = f"9 PTR {HOST}.\n10 PTR out.example.test.\n"
    publish(two_labs[0], example, pointer=both)
    answer, (view,) = looked(example, tmp_path, two_labs[:1])
    assert one_of(view, "spf", "TXT")["found"] == ["v=spf1 mx ip4:9.9.9.10 ~all"]
    assert "mail leaves from 9.9.9.10, which no name leads back to" in answer.out
    assert answer.status == 1
    publish(two_labs[0], example, pointer=both, edit=lambda zone: zone + "out 1 IN A 9.9.9.10\n")
    answer, _ = looked(example, tmp_path, two_labs[:1])
    assert answer.status == 0, answer.out


def test_cloudflare(example):
    posts = json.loads(records(example, "cloudflare"))["posts"]
    assert {post["type"] for post in posts} >= {"A", "MX", "TXT", "SRV", "TLSA"}
    assert all(post["name"].endswith("example.test") for post in posts)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("dns records nowhere.test", "No domain nowhere.test."),
        ("dns records friend.test", "friend.test is a backup domain"),
        ("dns records example.test --address x", "'x' is no IP address"),
        (
            "dns records example.test --next-certificate mailserver.yaml",
            "no certificate in PEM form",
        ),
        ("dns check example.test --resolver ns.example.net", "--resolver: "),
        ("dns check example.test --resolver localhost:53", "'localhost' is no IP address"),
    ],
)
def test_refusals(example, command, reason):
    example("domain add friend.test --backup-mx")
    answer = example(command)
    assert answer.status == 1
    assert reason in answer.err


def test_nobody_answers(example, tmp_path):
    """That is not well, and not said to be."""
    (tmp_path / "mailserver.yaml").write_text(
        f"hostname: {HOST}\ndns: {{servers: ['127.0.0.1:9']}}\n"
    )
    answer = example(f"dns check example.test --timeout 1 --address {ADDRESS}")
    assert answer.status == 1
    assert answer.out.startswith("no record could be looked up: 127.0.0.1: Connection refused\n")
    assert answer.out.splitlines()[-1].endswith("could not be looked up.")
    assert "All is well" not in answer.out


def test_a_host_without_a_full_name(example, monkeypatch):
    monkeypatch.setenv("MAILSERVER_HOSTNAME", "localhost")
    answer = example("dns records example.test")
    assert answer.status == 1
    assert "set it to a full name, as mail.example.test" in answer.err


def test_the_next_certificate_is_announced_beside_the_present_one(example, tmp_path):
    from datetime import UTC, datetime

    from mailserver.net.tls import self_signed

    (tmp_path / "next").mkdir()
    files = self_signed(tmp_path / "next", HOST, datetime.now(UTC))  # noqa: TID251
    out = records(example, "zone", f"--next-certificate {files.certificate}")
    assert out.count(f"_25._tcp.{HOST}. 3600 IN TLSA 3 1 1 ") == 2


def test_other_views_show_only_what_they_see_otherwise():
    def finding(name, status, text=""):
        return Finding(Kind.DMARC, name, "TXT", status, Need.REQUIRED, "x", ("y",), text)

    first = Seen(
        "configured", [finding("a", Status.RIGHT), finding("a", Status.NOTE, "only watches")]
    )
    same = Seen("ns1", [finding("a", Status.RIGHT)])
    other = Seen("ns2", [finding("a", Status.WRONG, "old\x1b[2J")])
    lines = list(published.shown([first, same, other]))
    assert lines[2:5] == ["", "ns1 sees the same.", ""]
    assert lines[5] == "ns2 sees it otherwise:"
    assert lines[6] == "WRONG    TXT    a  old\\x1b[2J"
    assert lines[-1] == "1 to be put right."
    assert not published.is_good([first, same, other])
    assert published.is_good([first, same])
