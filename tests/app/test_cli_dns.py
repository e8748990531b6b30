"""`dns records` and `dns check`: what is printed is taken by name servers, and found right once it is there."""

import asyncio
import json
import subprocess

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
