"""`mailserver group`, `shared` and `acl`: what they answer, refuse, and leave behind."""

import pytest


@pytest.fixture
def example(cli):
    """The command line with example.test, alice and bob in it."""
    assert cli("domain add example.test").status == 0
    for name in ("alice", "bob"):
        assert cli(f"user add {name}@example.test --password-stdin", "correct horse\n").status == 0
    return cli


def test_groups(example):
    cli = example
    added = cli("group add Sales@example.test alice@example.test")
    assert (added.status, added.out) == (0, "group sales@example.test has 1 members\n")
    assert cli("group add sales@example.test alice@example.test bob@example.test --json").json == {
        "group": "sales@example.test",
        "members": ["alice@example.test", "bob@example.test"],
    }
    assert cli("group add empty@example.test").status == 0
    assert cli("group list").out == (
        "GROUP               MEMBERS\n"
        "empty@example.test\n"
        "sales@example.test  alice@example.test, bob@example.test\n"
    )
    assert len(cli("group list example.test --json").json) == 2
    assert cli("group show sales@example.test").out == "alice@example.test\nbob@example.test\n"
    assert cli("group remove sales@example.test bob@example.test").status == 0
    assert cli("group show sales@example.test").out == "alice@example.test\n"
    again = cli("group remove sales@example.test bob@example.test")
    assert (again.status, again.err) == (
        1,
        "bob@example.test is no member of sales@example.test\n",
    )
    assert cli("group remove sales@example.test").status == 2, "never the group by mistake"
    assert cli("group remove sales@example.test --all alice@example.test").status == 2
    assert cli("group remove sales@example.test --all").status == 0
    assert cli("group show sales@example.test").err == "There is no group sales@example.test.\n"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("group add sales@nowhere.test", "no domain nowhere.test here"),
        ("group add sales", "no mail address"),
        ("group add sales@example.test carol@example.test", "There is no user carol@example.test."),
        ("group add sales@example.test anyone", "is no user"),
        ("group show sales@example.test", "There is no group"),
        ("shared add alice@example.test", "There is an account alice@example.test already."),
        ("shared add sales@example.test --for nobody@example.test", "There is no user"),
        ("shared show alice@example.test", "no shared mailbox alice@example.test"),
        ("shared remove alice@example.test", "no shared mailbox alice@example.test"),
        ("acl set alice@example.test/None bob@example.test lr", "has no mailbox"),
        ("acl set carol@example.test bob@example.test lr", "no user and no shared mailbox"),
        ("acl set alice@example.test alice@example.test lr", "always has all rights"),
        ("acl set alice@example.test bob@example.test lrz", "there is no right 'z'"),
        ("acl get alice", "no mail address"),
        ("acl list carol@example.test", "no user and no shared mailbox"),
    ],
)
def test_refusals(example, command, says):
    answer = example(command)
    assert answer.status == 1
    assert says in answer.err


def test_shared_mailboxes(example):
    cli = example
    cli("group add sales@example.test alice@example.test")
    made = cli(
        "shared add sales@example.test --for group:sales@example.test --quota 5G --json"
    ).json
    assert (made["address"], made["quota"], made["messages"]) == ("sales@example.test", 5 << 30, 0)
    assert cli("shared list").out == (
        "ADDRESS             NAME  MESSAGES  USED  QUOTA\n"
        "sales@example.test  -     0         0 B   5 GiB\n"
    )
    assert cli("shared show sales@example.test --json").json["rights"] == {
        "group:sales@example.test": "lrswipte",
        "anyone": "p",
    }
    assert "group:sales@example.test lrswipte" in cli("shared show sales@example.test").out
    assert cli("shared set sales@example.test").status == 2
    changed = cli("shared set sales@example.test --name Sales --quota none --json").json
    assert (changed["name"], changed["own_quota"]) == ("Sales", None)

    # it is no user: nobody logs in as it, and the commands for users do not touch it
    assert "sales@" not in cli("user list").out
    for command in ("show", "disable", "passwd", "remove"):
        refused = cli(f"user {command} sales@example.test")
        assert (refused.status, refused.err) == (
            1,
            "sales@example.test is a shared mailbox, and no user\n",
        )
    assert cli("app-password add sales@example.test phone").status == 1
    assert cli("domain remove example.test").status == 1

    assert cli("shared remove sales@example.test --yes").status == 0
    assert cli("shared list --json").json == []
    assert cli("acl list --json").json == []


def test_rights(example):
    cli = example
    assert cli("acl set alice@example.test/Sent bob@example.test lrs").out == (
        "rights to alice@example.test/Sent changed\n"
    )
    assert cli("acl set alice@example.test anyone lr").status == 0
    assert cli("acl set alice@example.test -bob@example.test r").status == 0
    assert cli("acl set alice@example.test/Sent bob@example.test +kx").status == 0
    assert cli("acl set alice@example.test/Sent bob@example.test -s").status == 0
    assert cli("acl get alice@example.test/Sent").out == (
        "IDENTIFIER        RIGHTS\nbob@example.test  lrkx\n"
    )
    assert cli("acl list").out == (
        "MAILBOX                  IDENTIFIER         RIGHTS\n"
        "alice@example.test       -bob@example.test  r\n"
        "alice@example.test       anyone             lr\n"
        "alice@example.test/Sent  bob@example.test   lrkx\n"
    )
    assert cli("acl list bob@example.test --json").json == []
    assert cli("acl set alice@example.test/Sent bob@example.test none --json").json == []
    assert len(cli("acl list alice@example.test --json").json) == 2
    assert cli("user remove bob@example.test --yes").status == 0
    assert [row["identifier"] for row in cli("acl list --json").json] == ["anyone"]
