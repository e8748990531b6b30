"""Signing keys on the command line: made with the domain, rotated, brought along, erased."""

import base64
import subprocess

import pytest


@pytest.fixture
def example(cli):
    """The command line with example.test in it."""
    assert cli("domain add example.test").status == 0
    return cli


def keys(cli, domain="example.test"):
    return {one["selector"]: one for one in cli(f"dkim list {domain} --json").json}


def test_a_domain_has_keys_from_the_start(example, tmp_path):
    found = example("dkim list example.test --json").json
    assert [(one["algorithm"], one["bits"], one["state"]) for one in found] == [
        ("rsa", 2048, "active"),
        ("ed25519", 256, "active"),
    ]
    for one in found:
        assert one["name"] == f"{one['selector']}._domainkey.example.test"
        assert one["record"].startswith(f"v=DKIM1; k={one['algorithm']}; p=")
        assert f"{one['record']}" in example(f"dkim show example.test {one['selector']}").out
    secret = example(f"dkim export example.test {found[0]['selector']}").out
    inner = base64.b64decode("".join(secret.splitlines()[1:-1]))
    assert inner not in (tmp_path / "data" / "mailserver.db").read_bytes()
    assert "PRIVATE" not in example("dkim list").out


def test_a_backup_domain_has_none(example):
    assert example("domain add friend.test --backup-mx").status == 0
    assert keys(example, "friend.test") == {}
    assert "backup domain" in example("dkim rotate friend.test").err
    assert example("domain add brand.test --alias-of example.test").status == 0
    assert len(keys(example, "brand.test")) == 2


def test_rotation_waits_and_does_not_pile_up(example):
    before = keys(example)
    answer = example("dkim rotate example.test")
    assert answer.status == 0
    assert answer.out.count("is pending; it needs this TXT record") == 2
    after = keys(example)
    assert sorted(one["state"] for one in after.values()) == ["active"] * 2 + ["pending"] * 2
    assert all(after[name]["state"] == "active" for name in before)
    assert example("dkim rotate example.test").status == 0
    assert keys(example).keys() == after.keys()


def test_rotation_at_once(example):
    """A key that fell into wrong hands signs no more."""
    before = keys(example)
    answer = example("dkim rotate example.test --algorithm rsa --now --json").json
    assert [(one["algorithm"], one["state"]) for one in answer] == [("rsa", "active")]
    after = keys(example)
    (old,) = [name for name, one in before.items() if one["algorithm"] == "rsa"]
    assert after[old]["state"] == "retiring"
    assert example(f"dkim remove example.test {old}").status == 0
    assert keys(example)[old]["state"] == "retired"
    assert "no private part" in example(f"dkim export example.test {old}").err
    assert "is retired" in example(f"dkim activate example.test {old}").err
    assert example(f"dkim remove example.test {old}").status == 0
    assert old not in keys(example)


def test_keys_that_sign_are_not_removed_by_accident(example):
    name = next(iter(keys(example)))
    answer = example(f"dkim remove example.test {name}")
    assert answer.status == 1
    assert "signs mail now" in answer.err
    assert example(f"dkim remove example.test {name} --force").status == 0


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("genrsa -traditional 2048", "rsa"), ("genpkey -algorithm ed25519", "ed25519")],
)
def test_a_key_of_another_server(example, tmp_path, kind, algorithm):
    """Made by OpenSSL, as OpenDKIM's tool does it: its record says what OpenSSL says."""
    file = tmp_path / "mail2024.private"
    file.write_bytes(
        subprocess.run(["openssl", *kind.split()], capture_output=True, check=True).stdout
    )
    answer = example(f"dkim import example.test Mail2024 {file} --json").json
    assert (answer["selector"], answer["algorithm"], answer["state"]) == (
        "mail2024",
        algorithm,
        "pending",
    )
    public = subprocess.run(
        ["openssl", "pkey", "-in", str(file), "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    said = base64.b64decode(answer["record"].partition("p=")[2])
    assert public.endswith(said)
    assert example("dkim activate example.test mail2024").status == 0
    found = keys(example)
    assert found["mail2024"]["state"] == "active"
    assert sum(one["state"] == "active" for one in found.values()) == 2
    assert (
        "used for this domain already" in example(f"dkim import example.test mail2024 {file}").err
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("nothing", "no private key in PEM form"),
        ("x" * 70_000, "it has more than 65536 octets"),
    ],
)
def test_files_that_are_no_key(example, tmp_path, content, reason):
    file = tmp_path / "key.pem"
    file.write_text(content)
    answer = example(f"dkim import example.test s1 {file}")
    assert answer.status == 1
    assert reason in answer.err


@pytest.mark.rfc(8301, "3.2")
@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("genrsa 512", "1024 to 4096 bits"),
        ("genpkey -algorithm x25519", "RSA and Ed25519 keys only"),
    ],
)
def test_keys_that_receivers_refuse(example, tmp_path, kind, reason):
    file = tmp_path / "weak.pem"
    file.write_bytes(
        subprocess.run(["openssl", *kind.split()], capture_output=True, check=True).stdout
    )
    answer = example(f"dkim import example.test s1 {file}")
    assert answer.status == 1
    assert reason in answer.err


def test_refusals(example):
    assert "No domain nowhere.test" in example("dkim rotate nowhere.test").err
    assert "No key with the selector s9" in example("dkim show example.test s9").err
    assert example("domain set example.test --dkim-oversign subject").err.startswith(
        "dkim-oversign: from must"
    )


def test_policy(example):
    assert (
        example("domain set example.test --dkim ed25519 --dkim-oversign From,To,Subject").status
        == 0
    )
    shown = example("domain show example.test --json").json
    assert (shown["dkim"], shown["dkim_oversign"]) == ("ed25519", "from,to,subject")
    assert example("domain set example.test --dkim off --dkim-oversign none").status == 0
    assert example("domain show example.test --json").json["dkim_oversign"] is None
