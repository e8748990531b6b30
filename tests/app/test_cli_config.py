"""`mailserver config check` and `config show`."""

import re

import pytest
import yaml

from mailserver.app.config import Config, leaves

CONFIG = """\
hostname: mail.example.test
data_dir: mail
listeners:
  smtp: ["127.0.0.1:2525", "unix:/run/smtp"]
tls: {min_version: "1.3"}
limits: {imap: {idle_timeout_s: 2000.5}}
"""


@pytest.fixture
def configured(cli, tmp_path, monkeypatch):
    (tmp_path / "mailserver.yaml").write_text(CONFIG)
    monkeypatch.setenv("MAILSERVER_WORKERS", "auto")
    monkeypatch.setenv("MAILSERVER_LISTENERS__IMAP", "[]")
    return cli


def test_check_says_which_file_is_good(configured, tmp_path):
    answer = configured("config check")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == f"ok: {tmp_path}/mailserver.yaml\n"
    assert configured("config check --json").json == {"ok": True, "problems": [], "warnings": []}


def test_check_may_look_at_the_resolvers(configured, tmp_path):
    """Nobody is asked whose word on DNSSEC would not count."""
    with (tmp_path / "mailserver.yaml").open("a") as file:
        file.write('dns: {servers: ["192.0.2.53:53", "192.0.2.54:5353"]}\n')
    text = "DANE is off: 192.0.2.53 or 192.0.2.54 port 5353 may be asked, but not believed on DNSSEC (dns.trust_ad)"
    answer = configured("config check --dns")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines()[1] == f"dns: {text}"
    assert configured("config check --dns --json").json["dns"] == {
        "servers": ["192.0.2.53", "192.0.2.54 port 5353"],
        "answering": None,
        "dane": False,
        "text": text,
    }


def test_check_without_a_file(cli, tmp_path):
    (tmp_path / "mailserver.yaml").unlink()
    answer = cli("config check")
    assert (answer.status, answer.out) == (
        0,
        "ok: no configuration file; defaults and environment\n",
    )


def test_check_lists_every_mistake_on_its_line(cli, tmp_path):
    (tmp_path / "mailserver.yaml").write_text("hostnam: x\ntls: {mode: acme}\n")
    answer = cli("config check")
    assert (answer.status, answer.out) == (1, "")
    first, second = answer.err.splitlines()
    assert first == f"{tmp_path}/mailserver.yaml:1: hostnam: no such key; did you mean hostname?"
    assert second.startswith(f"{tmp_path}/mailserver.yaml:2: tls.mode: acme is not part of this")
    problems = cli("config check --json").json["problems"]
    assert [(p["where"], p["key"]) for p in problems] == [
        (f"{tmp_path}/mailserver.yaml:1", "hostnam"),
        (f"{tmp_path}/mailserver.yaml:2", "tls.mode"),
    ]


def test_check_warns_of_what_is_missing_in_this_version(cli, tmp_path):
    (tmp_path / "mailserver.yaml").write_text(CONFIG + "clamav: {socket: 'unix:/run/clamd'}\n")
    answer = cli("config check")
    assert answer.status == 0
    assert answer.err == (
        f"warning: {tmp_path}/mailserver.yaml:7: clamav.socket: mail is not scanned for viruses yet; "
        "the scanner is not used\n"
    )
    (warning,) = cli("config check --json").json["warnings"]
    assert warning["key"] == "clamav.socket"


def test_show_golden(configured, tmp_path, golden):
    text = configured("config show").out.replace(str(tmp_path), "/etc").partition("limits:")[0]
    golden("config_show.txt", re.sub(r" +#", "  #", text))  # the folder's length moves the column


def test_origins_are_comments_behind_any_value(cli, tmp_path):
    long = "x" * 200
    (tmp_path / "mailserver.yaml").write_text(f"data_dir: /{long}\n")
    shown = yaml.safe_load(cli("config show").out)
    assert shown["data_dir"] == f"/{long}"


def test_what_is_shown_is_itself_a_configuration(configured, tmp_path):
    shown = configured("config show").out
    (tmp_path / "again.yaml").write_text(shown)
    again = configured("config show --config again.yaml")
    assert again.status == 0
    assert yaml.safe_load(again.out) == yaml.safe_load(shown)


def test_show_json_has_every_key_with_its_origin(configured, tmp_path):
    shown = configured("config show --json").json
    assert set(shown) == {".".join(key) for key in leaves(Config())}
    assert shown["hostname"] == {
        "value": "mail.example.test",
        "from": f"{tmp_path}/mailserver.yaml:1",
    }
    assert shown["workers"] == {"value": "auto", "from": "environment MAILSERVER_WORKERS"}
    assert shown["listeners.smtp"]["value"] == ["127.0.0.1:2525", "unix:/run/smtp"]
    assert shown["limits.imap.idle_timeout_s"]["value"] == 2000.5
    assert shown["tls.certificate"] == {"value": None, "from": "default"}


def test_a_file_that_is_named_must_be_there(cli, tmp_path):
    answer = cli("config show --config none.yaml")
    assert answer.status == 1
    assert answer.err == f"{tmp_path}/none.yaml: cannot be read: No such file or directory\n"


def test_check_looks_at_what_the_configuration_names(cli, tmp_path):
    (tmp_path / "data").touch()
    (tmp_path / "mailserver.yaml").write_text(
        "user: no-such-user\n"
        "tls: {mode: files, certificate: none.pem, key: none.pem}\n"
        "log: {file: none/log}\n"
    )
    answer = cli("config check")
    assert answer.status == 1
    assert answer.err.replace(f"{tmp_path}/", "").splitlines() == [
        "mailserver.yaml:2: tls.certificate: none.pem: cannot be read: No such file or directory",
        "mailserver.yaml:3: log.file: there is no folder none",
        "mailserver.yaml:1: user: there is no user no-such-user",
        "data_dir: data is no folder",
    ]


def test_authorities_that_cannot_be_used(cli, tmp_path):
    (tmp_path / "mailserver.yaml").write_text("outbound: {authorities: ca.pem}\n")
    answer = cli("config check")
    assert answer.status == 1
    assert answer.err.replace(f"{tmp_path}/", "") == (
        "mailserver.yaml:1: outbound.authorities: ca.pem: cannot be used: No such file or directory\n"
    )
    (tmp_path / "ca.pem").write_text("no certificate\n")
    assert "outbound.authorities: ca.pem: cannot be used: " in cli("config check").err


def test_a_source_address_that_is_not_there(cli, tmp_path):
    (tmp_path / "mailserver.yaml").write_text("outbound: {source_addresses: [192.0.2.1]}\n")
    answer = cli("config check")
    assert answer.status == 0
    assert (
        "mailserver.yaml:1: outbound.source_addresses: no mail leaves from 192.0.2.1: "
        "this machine has no such address"
    ) in answer.err
