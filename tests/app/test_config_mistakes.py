"""Every mistake in a configuration is named: file and line or variable, key, what is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mistaken import mistakes, written
from mailserver.app.load import ConfigError, load
from mailserver.base.limits import Limits

AT = "mailserver.yaml:1: outbound.source_addresses"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hostnam: a.example\n", ["mailserver.yaml:1: hostnam: no such key; did you mean hostname?"]),
        (
            "tls: {mood: files}\n",
            ["mailserver.yaml:1: tls.mood: no such key; did you mean mode?"],
        ),
        (
            "tls:\n  xyz: 1\n",
            ["mailserver.yaml:2: tls.xyz: no such key; allowed: certificate, client_ca, key, min_version, mode"],
        ),
        (
            "limits: {smtp: {recipient: 5}}\n",
            ["mailserver.yaml:1: limits.smtp.recipient: no such key; did you mean recipients?"],
        ),
        (
            "log:\n  level: debg\n  format: xml\n",
            [
                "mailserver.yaml:2: log.level: 'DEBG' is not allowed; did you mean DEBUG?; "
                "one of: DEBUG, INFO, WARNING, ERROR",
                "mailserver.yaml:3: log.format: 'xml' is not allowed; one of: json, console",
            ],
        ),
        ("hostname: 3\n", ["mailserver.yaml:1: hostname: must be text; put 3 in quotes"]),
        ("hostname:\n", ["mailserver.yaml:1: hostname: must be text"]),
        (
            "hostname: my_host\n",
            ["mailserver.yaml:1: hostname: 'my_host' is not a host name, as mail.example.org is"],
        ),
        ("data_dir: [x]\n", ["mailserver.yaml:1: data_dir: must be a path"]),
        ("data_dir: ''\n", ["mailserver.yaml:1: data_dir: must be a path"]),
        ('data_dir: "a\\0b"\n', ["mailserver.yaml:1: data_dir: must be a path"]),
        ('log: {file: "a\\0b"}\n', ["mailserver.yaml:1: log.file: must be a path"]),
        (
            "workers: many\n",
            ["mailserver.yaml:1: workers: must be a number from 1 to 256, or auto (one for each core)"],
        ),
        (
            "workers: 0\n",
            ["mailserver.yaml:1: workers: must be a number from 1 to 256, or auto (one for each core)"],
        ),
        (
            "workers: yes\n",
            ["mailserver.yaml:1: workers: must be a number from 1 to 256, or auto (one for each core)"],
        ),
        ("group: mail\n", ["mailserver.yaml:1: group: needs user as well"]),
        (
            "listeners:\n  imap: ':143'\n",
            ['mailserver.yaml:2: listeners.imap: must be a list, as [":143"]'],
        ),
        (
            "listeners:\n  lmtp: 24\n",
            ['mailserver.yaml:2: listeners.lmtp: must be a list, as [":2525"]'],
        ),
        (
            "listeners:\n  smtp:\n    - 25\n    - ':99999'\n    - host\n    - [x]\n",
            [
                'mailserver.yaml:3: listeners.smtp[0]: a bare number is no address; for port 25 write ":25"',
                "mailserver.yaml:4: listeners.smtp[1]: '99999' is not a port; ports are 1 to 65535",
                "mailserver.yaml:5: listeners.smtp[2]: expected host:port, [v6]:port, :port or unix:PATH",
                "mailserver.yaml:6: listeners.smtp[3]: must be text: host:port, [v6]:port, :port or unix:PATH",
            ],
        ),
        (
            "listeners:\n  smtp: [':2525']\n  imap: [':2525']\n",
            ["mailserver.yaml:3: listeners.imap: :2525 is taken by listeners.smtp already"],
        ),
        (
            "listeners:\n  smtp: []\n  lmtp: ['127.0.0.1:25']\n",
            ["mailserver.yaml:3: listeners.lmtp: LMTP may not be offered on port 25 (RFC 2033 §1)"],
        ),
        (
            "tls: {mode: acme}\n",
            [
                "mailserver.yaml:1: tls.mode: acme is not part of this version; use files with a certificate "
                "from another ACME client, or self-signed"
            ],
        ),
        (
            "tls:\n  mode: files\n  certificate: x\n",
            ["mailserver.yaml:1: tls.key: must be set when tls.mode is files"],
        ),
        (
            "tls: {key: x}\n",
            [
                "mailserver.yaml:1: tls.key: is not used when tls.mode is self-signed; set tls.mode: files"
            ],
        ),
        (
            "tls: {min_version: 1.1}\n",
            ["mailserver.yaml:1: tls.min_version: '1.1' is not allowed; one of: 1.2, 1.3"],
        ),
        (
            "auth:\n  cleartext_from: ['10.1.2.3/8', lan, 7]\n",
            [
                "mailserver.yaml:2: auth.cleartext_from[0]: '10.1.2.3/8' has bits set behind its prefix; "
                "did you mean 10.0.0.0/8?",
                "mailserver.yaml:2: auth.cleartext_from[1]: 'lan' is not a network, as 10.0.0.0/8 or fd00::/8 are",
                "mailserver.yaml:2: auth.cleartext_from[2]: must be text: a network, as 10.0.0.0/8 or fd00::/8 are",
            ],
        ),
        (
            "dns: {servers: ['unix:/x', ':53', 'resolver.example:53'], trust_ad: maybe}\n",
            [
                "mailserver.yaml:1: dns.servers[0]: must be host:port or [v6]:port",
                "mailserver.yaml:1: dns.servers[1]: a host must stand before the port, as in 127.0.0.1:783",
                "mailserver.yaml:1: dns.servers[2]: 'resolver.example' is no IP address: who would look it up?",
                "mailserver.yaml:1: dns.trust_ad: must be auto, true or false",
            ],
        ),
        (
            "outbound: {port: 0, smarthost: x}\n",
            [
                "mailserver.yaml:1: outbound.port: must be at least 1",
                "mailserver.yaml:1: outbound.smarthost: expected host:port, [v6]:port, :port or unix:PATH",
            ],
        ),
        (
            "outbound: {source_addresses: [0.0.0.0, mx.example, 7, 'fe80::1%lo']}\n",
            [
                f"{AT}[0]: '0.0.0.0' is no IP address that mail can leave from",
                f"{AT}[1]: 'mx.example' is no IP address that mail can leave from",
                f"{AT}[2]: 7 is no IP address that mail can leave from",
                f"{AT}[3]: 'fe80::1%lo' is no IP address that mail can leave from",
            ],
        ),
        (
            "outbound: {source_addresses: [192.0.2.1, '2001:db8::1', 192.0.2.2]}\n",
            [
                f"{AT}: at most one IPv4 address and one IPv6 address"
            ],
        ),
        ("outbound: {port: 65536}\n", ["mailserver.yaml:1: outbound.port: must be at most 65535"]),
        (
            "limits: {smtp: {hops: -1, recipients: 0, errors: many, data_timeout_s: [1]}}\n",
            [
                "mailserver.yaml:1: limits.smtp.errors: 'many' is not a whole number",
                "mailserver.yaml:1: limits.smtp.data_timeout_s: [1] is not a number",
            ],
        ),
        (
            "limits: {smtp: {hops: -1, recipients: 0}}\n",
            [
                "mailserver.yaml:1: limits.smtp.recipients: must be more than 0",
                "mailserver.yaml:1: limits.smtp.hops: must not be negative",
            ],
        ),
        ("limits: {imap: {nesting: 1.5}}\n", ["mailserver.yaml:1: limits.imap.nesting: 1.5 is not a whole number"]),
        (
            "limits: {rates: {exempt: [10.0.0.1/8], account: {messages_per_hour: 0, bytes_per_day: -1}}}\n",
            [
                "mailserver.yaml:1: limits.rates.exempt: '10.0.0.1/8' has bits set behind its prefix; did you mean "
                "10.0.0.0/8?",
                "mailserver.yaml:1: limits.rates.account.bytes_per_day: must not be negative",
            ],
        ),
        (
            "limits: 3\n",
            [
                "mailserver.yaml:1: limits: must be a section with keys of its own: "
                f"{', '.join(sorted(Limits.__slots__))}"
            ],
        ),
        (
            "log: console\n",
            [
                "mailserver.yaml:1: log: must be a section with keys of its own: file, format, level"
            ],
        ),
        (
            "workers: 1\nworkers: 2\n",
            ["mailserver.yaml:2: workers: is set twice, first at mailserver.yaml:1"],
        ),
        ("- smtp\n", ["mailserver.yaml:1: must be a list of keys and values"]),
        ("just text\n", ["mailserver.yaml:1: must be a list of keys and values"]),
        ("a: [\n", ["mailserver.yaml:2: not valid YAML: expected the node content, but found '<stream end>'"]),
        (
            "hostname: a\n\tworkers: 1\n",
            ["mailserver.yaml:2: not valid YAML: found character '\\t' that cannot start any token"],
        ),
        (
            "a: 1\n---\nb: 2\n",
            ["mailserver.yaml:2: not valid YAML: but found another document"],
        ),
        (
            "hostname: !!python/object/apply:os.getcwd []\n",
            ["mailserver.yaml:1: hostname: must be text; put [] in quotes"],
        ),
        (
            "hostname: !!python/name:os.getcwd x\n",
            [
                "mailserver.yaml:1: hostname: cannot be read as a value (tag:yaml.org,2002:python/name:os.getcwd)",
                "mailserver.yaml:1: hostname: must be text",
            ],
        ),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_line(tmp_path, text, expected):
    assert mistakes(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"MAILSERVER_HOSTNAM": "x"},
            ["environment MAILSERVER_HOSTNAM: no such key; did you mean MAILSERVER_HOSTNAME?"],
        ),
        ({"MAILSERVER_A__B": "x"}, ["environment MAILSERVER_A__B: no such key"]),
        (
            {"MAILSERVER_TLS": "files"},
            ["environment MAILSERVER_TLS: is a section; its keys are MAILSERVER_TLS__MODE, "
             "MAILSERVER_TLS__CERTIFICATE, MAILSERVER_TLS__KEY, MAILSERVER_TLS__CLIENT_CA, "
             "MAILSERVER_TLS__MIN_VERSION"],
        ),
        (
            {"MAILSERVER_WORKERS": "x"},
            [
                "environment MAILSERVER_WORKERS: workers: must be a number from 1 to 256, or auto "
                "(one for each core)"
            ],
        ),
        (
            {"MAILSERVER_LISTENERS__SMTP": ":25"},
            [
                "environment MAILSERVER_LISTENERS__SMTP: listeners.smtp: must be a list as JSON, as "
                '["127.0.0.1:2525", "[::1]:2525"]'
            ],
        ),
        (
            {"MAILSERVER_LISTENERS__SMTP": "25"},
            ['environment MAILSERVER_LISTENERS__SMTP: listeners.smtp: must be a list, as [":25"]'],
        ),
        (
            {"MAILSERVER_LISTENERS__SMTP": '["x"]'},
            [
                "environment MAILSERVER_LISTENERS__SMTP: listeners.smtp[0]: expected host:port, "
                "[v6]:port, :port or unix:PATH"
            ],
        ),
        (
            {"MAILSERVER_HOSTNAME_FILE": "none"},
            ["environment MAILSERVER_HOSTNAME_FILE: hostname: none: No such file or directory"],
        ),
        (
            {"MAILSERVER_HOSTNAME_FILE": "name", "MAILSERVER_HOSTNAME": "x"},
            ["environment MAILSERVER_HOSTNAME_FILE: hostname: MAILSERVER_HOSTNAME is set as well"],
        ),
        ({"MAILSERVER_HOSTNAME": ""}, ["environment MAILSERVER_HOSTNAME: hostname: must be text"]),
        (
            {"MAILSERVER_LIMITS__SMTP__HOPS": "lots"},
            ["environment MAILSERVER_LIMITS__SMTP__HOPS: limits.smtp.hops: 'lots' is not a whole number"],
        ),
    ],
)  # fmt: skip
def test_every_mistake_in_a_variable_is_named(tmp_path, environ, expected):
    (tmp_path / "name").write_text("a.example")
    assert mistakes(tmp_path, None, environ) == expected


def test_a_mistake_in_a_list_of_the_file_does_not_stick_to_the_variable_over_it(tmp_path):
    said = mistakes(
        tmp_path,
        "listeners:\n  smtp:\n    - ':25'\n    - ':26'\n",
        {"MAILSERVER_LISTENERS__SMTP": '[":27", "bad"]'},
    )
    assert said == [
        "environment MAILSERVER_LISTENERS__SMTP: listeners.smtp[1]: expected host:port, "
        "[v6]:port, :port or unix:PATH"
    ]


def test_what_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "mailserver.yaml"
    path.write_bytes(b"hostname: \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8 at octet 10"):
        load(path, {}, tmp_path)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, {}, tmp_path)


def test_a_cyclic_file_ends(tmp_path):
    assert any("nested too deep" in text for text in mistakes(tmp_path, "log: &x {level: *x}\n"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["data_dir", "tls", "mode", "log", "limits", "smtp", "listeners", "workers"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_any_data_is_a_configuration_or_a_list_of_mistakes(tmp_path_factory, data):
    import yaml

    folder = tmp_path_factory.getbasetemp()
    path = written(folder, yaml.safe_dump(data))
    try:
        load(path, {}, folder)
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems


@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_a_list_of_mistakes(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    try:
        load(path, {}, folder)
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems
