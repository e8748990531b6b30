"""`mailserver domain`, `user` and `alias`: what they answer, refuse, and leave behind."""

import pytest

from mailserver.directory.passwords import verify
from mailserver.store.store import Store


@pytest.fixture
def example(cli):
    """The command line with example.test and alice in it."""
    assert cli("domain add example.test").status == 0
    assert cli("user add alice@example.test --password-stdin", "correct horse\n").status == 0
    return cli


def stored_hash(folder, localpart):
    store = Store(folder / "data")
    store.open()
    try:
        found = store.read_now(lambda tx: tx.accounts.credentials(localpart, "example.test"))
    finally:
        store.close()
    return found.password_hash


def test_domains(cli):
    answer = cli("domain add Example.TEST. --quota 5G --max-accounts 2")
    assert (answer.status, answer.out, answer.err) == (0, "domain example.test added\n", "")
    assert cli("domain list").out == (
        "DOMAIN        IS ACTIVE  QUOTA  MAX ACCOUNTS  CATCH ALL\n"
        "example.test  yes        5 GiB  2             -\n"
    )
    shown = cli("domain show example.test --json").json
    assert shown.pop("created_at").startswith("20")
    assert shown == {
        "domain": "example.test",
        "is_active": True,
        "catch_all": None,
        "quota": 5 << 30,
        "max_accounts": 2,
        "max_messages": None,
        "max_mailboxes": None,
        "blob_threshold": 131_072,
        "separators": "+",
        "alias_of": None,
        "subdomains": None,
        "is_backup": False,
        "smarthost": None,
        "message_size": None,
        "cram_md5": False,
        "dkim": "on",
        "dkim_oversign": None,
        "dmarc": "reject",
        "spf": None,
        "mta_sts": "none",
    }
    assert cli("domain remove example.test").status == 0
    assert cli("domain list --json").json == []
    assert cli("domain list").out == ""


def test_bounds_beside_octets(example):
    """Of each account of a domain, and of one account; none: what the domain gives."""
    cli = example
    cli("domain set example.test --max-messages 1000 --max-mailboxes 20")
    cli("user set alice@example.test --max-messages 5 --admin")
    shown = cli("user show alice@example.test --json").json
    assert (shown["max_messages"], shown["own_max_messages"]) == (5, 5)
    assert (shown["max_mailboxes"], shown["own_max_mailboxes"]) == (20, None)
    assert shown["is_admin"] is True
    cli("user set alice@example.test --max-messages none --max-mailboxes 6 --no-admin")
    shown = cli("user show alice@example.test --json").json
    assert (shown["max_messages"], shown["own_max_messages"]) == (1000, None)
    assert (shown["max_mailboxes"], shown["is_admin"]) == (6, False)
    assert cli("user set alice@example.test --time-zone Asia/Kathmandu").status == 0
    assert cli("user show alice@example.test --json").json["time_zone"] == "Asia/Kathmandu"
    assert cli("user set alice@example.test --time-zone none").status == 0
    assert cli("user show alice@example.test --json").json["time_zone"] is None
    for refused in (
        "user set alice@example.test --max-mailboxes 5",
        "user set alice@example.test --time-zone Asia/Nowhere",
        "domain set example.test --max-mailboxes 5",
        "user set alice@example.test --max-messages x",
        "user set alice@example.test --max-messages -1",
    ):
        assert cli(refused).status != 0, refused
    cli("domain set example.test --max-messages none --max-mailboxes none")
    shown = cli("domain show example.test --json").json
    assert (shown["max_messages"], shown["max_mailboxes"]) == (None, None)


def test_domain_settings_change_alone(example):
    cli = example
    cli("domain set example.test --quota 5G --catch-all alice@example.test")
    assert cli("domain set example.test --inactive --separators +- --blob-threshold 1M").status == 0
    shown = cli("domain show example.test --json").json
    assert (shown["is_active"], shown["quota"], shown["separators"]) == (False, 5 << 30, "+-")
    assert (shown["catch_all"], shown["blob_threshold"]) == ("alice@example.test", 1 << 20)
    cli("domain set example.test --active --quota none --catch-all none --max-accounts none")
    shown = cli("domain show example.test --json").json
    assert (shown["is_active"], shown["quota"], shown["catch_all"]) == (True, None, None)


def test_users(example):
    assert example("user add Bob@Example.test --password-stdin --name Bob", "also long").status == 0
    assert example("user list").out == (
        "ADDRESS             NAME  IS ACTIVE  USED  QUOTA  LAST LOGIN AT\n"
        "alice@example.test  -     yes        0 B   none   -\n"
        "bob@example.test    Bob   yes        0 B   none   -\n"
    )
    addresses = [row["address"] for row in example("user list example.test --json").json]
    assert addresses == ["alice@example.test", "bob@example.test"]
    assert example("user set bob@example.test --quota 1.5G").status == 0
    assert example("user disable bob@example.test").out == "user bob@example.test disabled\n"
    shown = example("user show bob@example.test --json").json
    assert (shown["is_active"], shown["quota"], shown["name"]) == (False, 3 << 29, "Bob")
    assert example("user enable bob@example.test --json").json["is_active"] is True
    assert example("user remove bob@example.test").status == 0
    assert example("user show bob@example.test").status == 1


def test_password_is_hashed_and_never_shown(example, tmp_path):
    assert verify(stored_hash(tmp_path, "alice"), "correct horse")
    answer = example(
        "user passwd alice@example.test --password-stdin", "battery staple\r\nignored\n"
    )
    assert (answer.status, answer.out) == (0, "password of alice@example.test changed\n")
    assert verify(stored_hash(tmp_path, "alice"), "battery staple")
    everything = example("user show alice@example.test --json").out
    assert "$argon2" not in everything
    assert "battery" not in everything


def test_password_in_utf8(example, tmp_path):
    example("user passwd alice@example.test --password-stdin", "pässwörd-ünïcode\n".encode())
    assert verify(stored_hash(tmp_path, "alice"), "pässwörd-ünïcode")


def test_aliases(example):
    example("user add bob@example.test --password-stdin", "also long")
    answer = example("alias add Team@example.test alice@example.test BOB@example.test")
    assert (answer.status, answer.out, answer.err) == (0, "alias team@example.test added\n", "")
    assert example("alias list").out == (
        "ADDRESS            TARGETS\nteam@example.test  alice@example.test, bob@example.test\n"
    )
    assert example("user show bob@example.test --json").json["aliases"] == ["team@example.test"]
    assert example("alias remove team@example.test --json").json == {"removed": "team@example.test"}
    assert example("alias list --json").json == []


def test_an_alias_to_nobody_is_taken_with_a_warning(example):
    answer = example("alias add team@example.test new@example.test elsewhere@example.org")
    assert answer.status == 0
    assert answer.err == "warning: there is no user or alias new@example.test yet\n"


def test_what_still_leads_to_a_removed_user_is_named(example):
    example("alias add team@example.test alice@example.test")
    example("domain set example.test --catch-all alice@example.test")
    assert example("user remove alice@example.test --yes").err == (
        "warning: alias team@example.test still leads to alice@example.test\n"
        "warning: catch-all of example.test still leads to alice@example.test\n"
    )


@pytest.mark.parametrize(
    ("command", "given", "reason"),
    [
        ("domain add example.test", "", "There is a domain example.test already."),
        ("domain add x..y", "", '"x..y" is no domain name: letters, digits, hyphens and dots, as in example.org'),
        ("domain show example.org", "", "No domain example.org."),
        ("domain remove example.test", "", "The domain still has accounts."),
        ("domain set example.test --max-accounts x", "", "--max-accounts x: expected a number or none"),
        ("domain set example.test --separators a", "", "separators: some of + - _ = #, each once"),
        ("domain set example.test --blob-threshold none", "", "--blob-threshold: expected a size"),
        ("domain set example.test --catch-all x", "", '"x" is no mail address'),
        ("user add alice@example.test --password-stdin", "long enough", "There is an account alice@example.test"),
        ("user add bob@example.test --password-stdin", "short", "the password is too short: at least 8 characters"),
        ("user add bob@example.test --password-stdin", "", "the password is too short: at least 8 characters"),
        ("user add bob@example.org --password-stdin", "long enough", "no domain example.org here"),
        ("user add bob --password-stdin", "long enough", '"bob" is no mail address'),
        ("user show bob@example.test", "", "no user bob@example.test"),
        ("user remove bob@example.test", "", "no user bob@example.test"),
        ("user passwd bob@example.test --password-stdin", "long enough", "no user bob@example.test"),
        ("user disable bob@example.test", "", "no user bob@example.test"),
        ("alias add alice@example.test bob@example.test", "", "There is an account alice@example.test already."),
        ("alias add a@example.org alice@example.test", "", "no domain example.org here"),
        ("alias remove a@example.test", "", "No alias a@example.test."),
    ],
)  # fmt: skip
def test_refusals_are_one_line_and_status_1(example, command, given, reason):
    answer = example(command, given)
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith(reason)
    assert len(answer.err.splitlines()) == 1
    assert example(f"{command} --json", given).json["error"].startswith(reason)


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("user add bob@example.test", "not at a terminal"),
        ("user add bob@example.test --password-stdin", b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe"),
        ("user add bob@example.test --quota lots --password-stdin", "long enough"),
        ("user set alice@example.test", ""),
        ("domain set example.test", ""),
        ("domain add", ""),
        ("alias add team@example.test", ""),
        ("user nonsense", ""),
        ("nonsense", ""),
        ("user list --nonsense", ""),
    ],
)
def test_wrong_usage_is_status_2(example, command, given):
    answer = example(command, given)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err


def test_no_database_is_not_an_empty_one(cli, tmp_path):
    answer = cli("user list")
    assert answer.status == 1
    assert answer.err.startswith(f"no database in {tmp_path}/data")
    assert not (tmp_path / "data").exists()


def test_a_refusal_cannot_reach_the_terminal(example):
    answer = example("user show \x1b[2J@example.test")
    assert answer.status == 1
    assert "\x1b" not in answer.err
