"""The configuration: what is read, from where, and how every mistake is named."""

import ipaddress
from pathlib import Path

import pytest

from app.mistaken import mistakes, written
from mailserver.app.advice import advice
from mailserver.app.config import Config, leaves, sieve_url, upstream
from mailserver.app.load import load
from mailserver.app.sources import variable_of
from mailserver.net.endpoint import Endpoint


def test_nothing_at_all_is_a_configuration(tmp_path):
    loaded = load(None, {}, tmp_path)
    assert loaded.path is None
    assert loaded.config.data_dir == tmp_path / "data"
    assert loaded.config.workers == 1
    assert loaded.config.listeners.imaps == (Endpoint("", 993),)
    assert loaded.config.auth.cleartext_from == (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    )
    assert set(map(loaded.place, leaves(loaded.config))) == {"default"}


EVERYTHING = """\
data_dir: /srv/mail
hostname: Mail.Example.TEST.
workers: auto
user: mail
group: mail
listeners:
  smtp: ["127.0.0.1:2525", "[::1]:2525", ":25", "unix:/run/smtp"]
  submission: []
tls: {mode: files, certificate: /etc/cert.pem, key: /etc/key.pem, min_version: 1.3}
auth:
  cleartext_from: [10.0.0.0/8, "fd00::/8"]
dns: {servers: ["127.0.0.1:5353"], trust_ad: no}
outbound: {port: 2525, smarthost: relay.example.org:587}
clamav: {socket: "unix:/run/clamd"}
spamassassin: {address: "127.0.0.1:783"}
log: {level: debug, format: console, file: /var/log/mail}
limits:
  smtp: {recipients: 200, idle_timeout_s: 400.5}
  connections: {total: 50}
"""


def test_every_section(tmp_path):
    config = load(written(tmp_path, EVERYTHING), {}, tmp_path).config
    assert config.hostname == "mail.example.test"
    assert (config.workers, config.user, config.group) == ("auto", "mail", "mail")
    assert config.listeners.smtp == (
        Endpoint("127.0.0.1", 2525),
        Endpoint("::1", 2525),
        Endpoint("", 25),
        Endpoint(path=Path("/run/smtp")),
    )
    assert config.listeners.submission == ()
    assert config.listeners.imap == (Endpoint("", 143),)
    assert (config.tls.mode, config.tls.min_version) == ("files", "1.3")
    assert config.dns.trust_ad is False
    assert config.outbound.smarthost == Endpoint("relay.example.org", 587)
    assert (config.log.level, config.log.format) == ("DEBUG", "console")
    assert config.limits.smtp.recipients == 200
    assert config.limits.smtp.idle_timeout_s == 400.5
    assert config.limits.smtp.hops == 50
    assert config.limits.connections.total == 50


def test_relative_paths_start_at_the_file(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    path = written(
        folder,
        "data_dir: mail\nlog: {file: ../log}\nclamav: {socket: 'unix:clamd'}\n"
        "listeners: {smtp: ['unix:smtp']}\n",
    )
    config = load(path, {}, tmp_path).config
    assert config.data_dir == folder / "mail"
    assert config.log.file == folder / "../log"
    assert config.clamav.socket == Endpoint(path=folder / "clamd")
    assert config.listeners.smtp == (Endpoint(path=folder / "smtp"),)


def test_home_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert load(written(tmp_path, "data_dir: ~/mail\n"), {}, tmp_path).config.data_dir == Path(
        "/home/me/mail"
    )
    nobody = load(written(tmp_path, "data_dir: ~no-such-user/mail\n"), {}, tmp_path)
    assert nobody.config.data_dir == tmp_path / "~no-such-user" / "mail"


def test_relative_paths_of_variables_start_where_the_program_was_started(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    path = written(folder, "data_dir: mail\n")
    config = load(path, {"MAILSERVER_DATA_DIR": "other"}, tmp_path).config
    assert config.data_dir == tmp_path / "other"


def test_the_data_folder_lies_beside_the_file_when_it_is_not_named(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    assert load(written(folder, ""), {}, tmp_path).config.data_dir == folder / "data"


def test_where_the_file_is_looked_for(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    first, second = written(tmp_path, "workers: 2"), written(other, "workers: 3")
    assert load(None, {}, tmp_path).path == first
    assert load(None, {"MAILSERVER_CONFIG": str(second)}, tmp_path).path == second
    assert load(second, {"MAILSERVER_CONFIG": str(first)}, tmp_path).config.workers == 3
    assert mistakes(tmp_path, None, {"MAILSERVER_CONFIG": "none.yaml"}) == [
        "none.yaml: cannot be read: No such file or directory"
    ]


def test_the_environment_stands_above_the_file(tmp_path):
    loaded = load(
        written(tmp_path, EVERYTHING),
        {
            "MAILSERVER_HOSTNAME": "other.example.test",
            "MAILSERVER_TLS__MIN_VERSION": "1.2",
            "MAILSERVER_LISTENERS__SMTP": '["127.0.0.1:26"]',
            "MAILSERVER_AUTH__CLEARTEXT_FROM": "[]",
            "MAILSERVER_LOG__FILE": "",
            "MAILSERVER_WORKERS": "4",
            "MAILSERVER_DNS__TRUST_AD": "true",
            "MAILSERVER_LIMITS__SMTP__IDLE_TIMEOUT_S": "301.5",
            "PATH": "/bin",
        },
        tmp_path,
    )
    config = loaded.config
    assert config.hostname == "other.example.test"
    assert config.tls.min_version == "1.2"
    assert config.listeners.smtp == (Endpoint("127.0.0.1", 26),)
    assert config.auth.cleartext_from == ()
    assert config.log.file is None
    assert config.workers == 4
    assert config.dns.trust_ad is True
    assert config.limits.smtp.idle_timeout_s == 301.5
    assert loaded.place(("hostname",)) == "environment MAILSERVER_HOSTNAME"
    assert loaded.place(("tls", "mode")) == f"{tmp_path}/mailserver.yaml:9"
    assert loaded.place(("listeners", "imaps")) == "default"


def test_a_value_from_a_file(tmp_path):
    (tmp_path / "secret").write_text("other.example.test\n")
    loaded = load(None, {"MAILSERVER_HOSTNAME_FILE": "secret"}, tmp_path)
    assert loaded.config.hostname == "other.example.test"
    assert loaded.place(("hostname",)) == "environment MAILSERVER_HOSTNAME_FILE"


def test_a_key_called_file_is_not_mistaken_for_one(tmp_path):
    assert load(None, {"MAILSERVER_LOG__FILE": "x"}, tmp_path).config.log.file == tmp_path / "x"


def test_variables_of_container_links_are_not_ours(tmp_path):
    environ = {
        "MAILSERVER_PORT": "tcp://172.17.0.5:25",
        "MAILSERVER_PORT_25_TCP_ADDR": "172.17.0.5",
        "MAILSERVER_SERVICE_HOST": "10.0.0.1",
        "MAILSERVER_NAME": "/web/mailserver",
    }
    assert load(None, environ, tmp_path).places == {}


def test_a_variable_that_looks_like_no_key_is_only_mentioned(tmp_path):
    environ = {"MAILSERVER_HOSTNAME": "mail.example.test", "MAILSERVER_BACKUP_BUCKET": "x"}
    loaded = load(None, environ, tmp_path)
    assert [str(warning) for warning in advice(loaded)] == [
        "environment MAILSERVER_BACKUP_BUCKET: no such key; it is not used"
    ]


def test_every_key_can_be_set_by_its_variable(tmp_path):
    for key, value in leaves(Config()).items():
        text = "[]" if isinstance(value, tuple) else str(value if value is not None else "")
        environ = {variable_of(key): text}
        if key == ("hostname",):
            environ = {variable_of(key): "a.example"}
        assert load(None, environ, tmp_path).place(key) == f"environment {variable_of(key)}"


def test_what_this_version_cannot_do_is_said(tmp_path):
    loaded = load(
        written(tmp_path, EVERYTHING + "  imap: {idle_timeout_s: 60}\n  outbound: {end_s: 60}\n"),
        {"MAILSERVER_LISTENERS__HTTPS": '["unix:/run/web"]', "MAILSERVER_HOSTNAME": "mail"},
        tmp_path,
    )
    assert [str(warning).replace(f"{tmp_path}/", "") for warning in advice(loaded)] == [
        "environment MAILSERVER_LISTENERS__HTTPS: listeners.https: https is not part of this "
        "version; nothing listens on unix:/run/web",
        "mailserver.yaml:14: clamav.socket: mail is not scanned for viruses yet; the scanner is not used",
        "mailserver.yaml:15: spamassassin.address: mail is not scanned for spam yet; the scanner is not used",
        "mailserver.yaml:21: limits.outbound.end_s: is below 600, which others may rely on (RFC 5321 §4.5.3.2.6)",
        "mailserver.yaml:20: limits.imap.idle_timeout_s: is below 1800, which others may rely on (RFC 9051 §5.4)",
        "environment MAILSERVER_HOSTNAME: hostname: 'mail' has no dot; other servers want a full name, "
        "as mail.example.org",
    ]


def test_turning_missing_things_off_needs_no_warning(tmp_path):
    path = written(
        tmp_path,
        "hostname: mail.example.test\nlisteners: {lmtp: [], http: [], https: []}\n"
        "clamav: {socket: null}\n",
    )
    assert list(advice(load(path, {}, tmp_path))) == []


@pytest.mark.rfc(6785, "2.1")
@pytest.mark.parametrize(
    ("listeners", "url"),
    [
        ({}, "sieve://mail.example.test"),
        ({"managesieve": ["127.0.0.1:2000", ":4190"]}, "sieve://mail.example.test"),
        ({"managesieve": [":2000"]}, "sieve://mail.example.test:2000"),
        ({"managesieve": []}, ""),
        ({"managesieve": ["unix:/run/sieve"]}, ""),
    ],
)
def test_where_clients_keep_their_scripts(listeners, url):
    config = Config.model_validate({"hostname": "mail.example.test", "listeners": listeners})
    assert sieve_url(config) == url


def test_fields_of_filters_in_front():
    said = {"spam_header": "X-Spam-Status", "trusted": ["192.0.2.0/24"]}
    found = upstream(Config.model_validate({"filtering": said}))
    assert found.of("192.0.2.7").spam_header == "X-Spam-Status"
    assert found.of("192.0.3.7").spam_header == ""
    with pytest.raises(ValueError, match="spam_header"):
        Config.model_validate({"filtering": {"spam_header": "X Spam:"}})
