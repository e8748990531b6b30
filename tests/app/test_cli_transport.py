"""What the command line says of transport security."""

import time
from pathlib import Path

import pytest

from certificates import authority
from mailserver.mailauth.mta_sts import parse
from mailserver.net.tls import ServerTls
from mailserver.store.policies import Kept, PolicyFile
from misbehaving import NextHop


@pytest.mark.rfc(8461, "3.2")
def test_our_own_policy(cli):
    assert cli("domain add example.test").status == 0
    assert parse(cli("mta-sts policy example.test").out.encode()).mode == "none"
    before = cli("mta-sts policy example.test --json").json
    assert cli("domain set example.test --mta-sts enforce").status == 0
    assert cli("domain show example.test --json").json["mta_sts"] == "enforce"
    policy = parse(cli("mta-sts policy example.test").out.encode())
    assert (policy.mode, policy.mx) == ("enforce", ("mail.example.test",))
    facts = cli("mta-sts policy example.test --json").json
    assert facts["address"] == "https://mta-sts.example.test/.well-known/mta-sts.txt"
    assert facts["record_name"] == "_mta-sts.example.test"
    assert facts["record"] != before["record"]
    assert cli("domain set example.test --mta-sts off").status == 2
    assert cli("mta-sts policy nowhere.test").status == 1


def test_policies_of_others(cli, tmp_path: Path):
    assert cli("mta-sts kept --json").json == []
    text = "version: STSv1\r\nmode: testing\r\nmx: mx.there.example\r\nmax_age: 1\r\n"
    (tmp_path / "data").mkdir(exist_ok=True)
    now = int(time.time())
    PolicyFile(tmp_path / "data").put(Kept("there.example", "7", text, now, now + 60, now))
    (row,) = cli("mta-sts kept --json").json
    assert (row["domain"], row["mode"], row["id"]) == ("there.example", "testing", "7")
    assert "there.example" in cli("mta-sts kept").out


@pytest.mark.parametrize(
    ("demand", "is_met"), [("may", True), ("encrypt", True), ("verify", False)]
)
def test_a_next_hop_of_a_route(cli, tmp_path: Path, demand: str, is_met: bool):
    files = authority().server("other.test").files(tmp_path / "tls")
    cli("domain add example.test")
    with NextHop(tls=ServerTls(files).context) as hop:
        name = f"smtp:127.0.0.1:{hop.port}"
        cli(f"route add there.test {name}")
        cli(f"route login {name} --tls {demand}")
        plain = cli("tls-policy there.test --json").json
        assert hop.connections == 0
        facts = cli("tls-policy there.test --connect --json").json
        text = cli("tls-policy there.test --connect").out
        assert not any(line.startswith(b"MAIL") for line in hop.commands)
    assert plain["destination"] == name
    assert plain["hosts"][0]["connected"] is None
    (host,) = facts["hosts"]
    assert (host["tls"], host["host"]) == (demand, "127.0.0.1")
    assert (host["connected"] is not None) == is_met
    assert bool(host["failure"]) != is_met
    assert ("connected: TLSv1.3" if is_met else "failed: ") in text


def test_where_no_mail_goes(cli):
    cli("domain add example.test")
    cli("route add there.test reject")
    answer = cli("tls-policy there.test")
    assert (answer.status, answer.err) == (
        1,
        "no mail is sent to there.test from here: a route says so\n",
    )


@pytest.mark.rfc(5321, "5.1")
def test_a_way_that_leads_back_here(cli, monkeypatch):
    monkeypatch.setenv("MAILSERVER_LISTENERS__SMTP", '["127.0.0.1:2599"]')
    cli("domain add example.test")
    cli("route add loop.test smtp:127.0.0.1:2599")
    assert (
        "gets no mail: 550 5.4.6 mail for this domain leads back to this server"
        in cli("tls-policy loop.test --connect").out
    )
