"""`mailserver trust`, and what a domain wants of SPF and DMARC."""

import pytest


@pytest.fixture
def example(cli):
    cli("domain add example.test")
    return cli


def test_whom_we_trust(example):
    cli = example
    assert (
        cli("trust add network 192.0.2.0/24 --note ours").out == "network 192.0.2.0/24 is trusted\n"
    )
    assert cli("trust add sealer Example.NET").out == "sealer example.net is trusted\n"
    cli("trust add forwarder lists.example.org")
    rows = cli("trust list --json").json
    assert [(row["kind"], row["value"], row["note"]) for row in rows] == [
        ("forwarder", "lists.example.org", ""),
        ("network", "192.0.2.0/24", "ours"),
        ("sealer", "example.net", ""),
    ]
    assert "lists.example.org" in cli("trust list").out
    assert cli("trust remove sealer example.net").status == 0
    again = cli("trust remove sealer example.net")
    assert (again.status, again.err) == (1, "There is no trusted sealer example.net.\n")


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0", "192.0.2.1/24", "mail.example.org"])
def test_what_is_no_network(example, value):
    refused = example(f"trust add network {value}")
    assert refused.status == 1
    assert "network" in refused.err


def test_what_a_domain_wants(example):
    cli = example
    shown = cli("domain show example.test --json").json
    assert (shown["dmarc"], shown["spf"]) == ("reject", None)
    cli("domain set example.test --dmarc tag --spf softfail=quarantine,fail=reject,none=accept")
    shown = cli("domain show example.test --json").json
    assert (shown["dmarc"], shown["spf"]) == ("tag", "fail=reject,softfail=quarantine")
    cli("domain set example.test --spf none")
    assert cli("domain show example.test --json").json["spf"] is None


@pytest.mark.parametrize("text", ["pass=reject", "fail", "fail=bounce", "fail=reject,fail=accept"])
def test_wishes_that_make_no_sense(example, text):
    refused = example(f"domain set example.test --spf {text}")
    assert refused.status == 1
    assert refused.err.startswith("spf: ")
