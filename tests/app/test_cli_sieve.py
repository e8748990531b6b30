"""`mailserver sieve`: scripts checked and tried from files."""

import json

from sieve.sieve_messages import PLAIN

SCRIPT = """\
require ["fileinto", "variables", "include"];
if header :matches "subject" "[*]*" {
    fileinto "lists/${1}";
}
include :optional "more";
"""


def test_check(cli, tmp_path):
    good, bad = tmp_path / "good.sieve", tmp_path / "bad.sieve"
    good.write_text(SCRIPT)
    bad.write_text("keep\n;\nfileintoo;")
    done = cli(f"sieve check {good}")
    assert done.status == 0
    assert done.out == f"{good}: fine\n"
    done = cli(f"sieve check {good} {bad}")
    assert done.status == 1
    assert 'bad.sieve: line 3, column 1: there is no command "fileintoo"' in done.err
    assert cli(f"sieve check {good} --json").json == [{"script": str(good), "warnings": []}]


def test_try(cli, tmp_path):
    script, letter, more = (tmp_path / n for n in ("a.sieve", "letter.eml", "more.sieve"))
    script.write_text(SCRIPT)
    letter.write_bytes(PLAIN)
    more.write_text('require ["envelope"]; if envelope "to" "alice@example.test" { keep; }')
    done = cli(f"sieve test {script} {letter}")
    assert done.status == 0, done.err
    assert done.out.splitlines()[1:] == [
        '  line 2    header       true: "[acme-users] [fwd] version 1.0 is out" matches "[*]*"',
        '  line 1    envelope     true: "alice@example.test" matches "alice@example.test"',
        '  -> filed into "lists/acme-users" (line 3)',
        "  -> kept in INBOX (line 1)",
    ]
    told = json.loads(cli(f"sieve test {script} {letter} --recipient x@y.example --json").out)
    assert told[0]["actions"] == [
        {"line": 3, "action": "fileinto", "text": 'filed into "lists/acme-users" (line 3)'}
    ]
    assert told[0]["tests"][1]["result"] is False


def test_all_that_can_happen_is_told(cli, tmp_path):
    script, letter = tmp_path / "a.sieve", tmp_path / "letter.eml"
    letter.write_bytes(PLAIN)
    for text, said in (
        ("discard;", "thrown away (line 1)"),
        ('redirect "x@example.org";', "sent on to x@example.org (line 1)"),
        ('require "reject"; reject "no";', "refused: no (line 1)"),
        (
            'require "vacation"; vacation "gone";',
            "answered, if not within 604800 s before: gone (line 1)",
        ),
        ("", "kept in INBOX (nothing else was said)"),
        ('require "ihave"; error "oh no";', "error: line 1: oh no; so the message is kept"),
    ):
        script.write_text(text)
        assert said in cli(f"sieve test {script} {letter}").out


def test_scripts_are_kept(cli, tmp_path):
    file = tmp_path / "filters.sieve"
    file.write_text("keep;")
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse")
    done = cli(f"sieve put alice@example.test {file} --activate")
    assert done.out == "script filters of alice@example.test: version 1, 5 octets\n"
    file.write_text("discard;")
    assert cli(f"sieve put alice@example.test {file}").status == 0
    (row,) = cli("sieve list alice@example.test --json").json
    assert (row["name"], row["role"], row["version"]) == ("filters", "active", 2)
    versions = cli("sieve list alice@example.test --versions filters --json").json
    assert [row["version"] for row in versions] == [2, 1]
    assert cli("sieve show alice@example.test filters").out == "discard;\n"
    assert cli("sieve show alice@example.test filters --version 1").out == "keep;\n"
    assert cli("sieve restore alice@example.test filters 1").status == 0
    assert cli("sieve show alice@example.test filters").out == "keep;\n"
    assert "is active" in cli("sieve remove alice@example.test filters").err
    assert cli("sieve deactivate alice@example.test filters").status == 0
    assert cli("sieve rename alice@example.test filters former").status == 0
    assert cli("sieve remove alice@example.test former").status == 0
    assert cli("sieve list alice@example.test --json").json == []


def test_scripts_of_domains_and_of_the_server(cli, tmp_path):
    shared, own = tmp_path / "shared.sieve", tmp_path / "own.sieve"
    shared.write_text("discard;")
    own.write_text('require "include"; include :global "shared"; include "missing";')
    cli("domain add example.test")
    assert cli(f"sieve put server {shared}").status == 0
    assert 'no personal script "missing"' in cli(f"sieve put example.test {own}").out
    assert cli("sieve activate example.test own --after").status == 0
    assert cli("sieve list example.test --json").json[0]["role"] == "after"
    assert cli("sieve activate example.test own").status == 0
    assert cli("sieve list example.test --json").json[0]["role"] == "before"
    own.write_text("nosuch;")
    refused = cli(f"sieve put example.test {own}")
    assert (refused.status, refused.err) == (
        1,
        'line 1, column 1: there is no command "nosuch"\n',
    )
    assert cli("sieve put nobody@example.test " + str(shared)).status == 1
    assert cli("sieve put elsewhere.test " + str(shared)).status == 1
    assert cli("domain remove example.test").status == 0


def test_lists(cli, tmp_path):
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse")
    file = tmp_path / "more.txt"
    file.write_text("# who sells\nseller.example  # all of it\n\nBob@Example.ORG\n")
    done = cli(f"lists add alice@example.test block @spam.example --file {file} --note why")
    assert done.out == "3 new in block of alice@example.test, 0 were there\n"
    assert cli("lists add alice@example.test block spam.example --json").json == {
        "list": "block",
        "added": 0,
        "known": 1,
    }
    assert cli("lists show alice@example.test --json").json == [{"list": "block", "entries": 3}]
    rows = cli("lists show alice@example.test block --json").json
    assert [row["entry"] for row in rows] == ["@seller.example", "@spam.example", "bob@example.org"]
    paged = cli("lists show alice@example.test block @* --limit 1")
    assert "@seller.example" in paged.out
    assert "--after @seller.example" in paged.err
    assert cli("lists remove alice@example.test block spam.example").status == 0
    assert cli("lists remove alice@example.test block spam.example").status == 1
    assert "is no sender" in cli("lists add alice@example.test block 'not a sender'").err
    assert "no entry to add" in cli("lists add alice@example.test block").err
    cli("lists add server holidays 2026-12-25")
    assert cli("lists rename server holidays days").status == 0
    assert cli("lists drop server days").out == "list days of server is gone\n"
    assert cli("lists show server days").status == 1


def test_watch(cli, tmp_path):
    cli("domain add example.test")
    cli("user add alice@example.test --password-stdin", "correct horse")
    file = tmp_path / "learn.sieve"
    file.write_text('require "imapsieve"; keep;')
    assert cli(f"sieve put example.test {file}").status == 0
    done = cli("sieve watch example.test learn --cause copy --mailbox \\Junk --after --json")
    row = {"script": "learn", "place": "after", "causes": "COPY", "mailbox": "\\Junk", "from": "*"}
    assert done.json == [row]
    assert "learn" in cli("sieve watch example.test").out
    assert "--cause says" in cli("sieve watch example.test learn").err
    assert "annotation" in cli("sieve watch alice@example.test learn --cause COPY").err
    assert cli("sieve unwatch example.test learn").status == 0
    assert cli("sieve unwatch example.test learn").status == 1
    assert cli("sieve watch example.test --json").json == []


def test_fields_of_filters_in_front_are_tried(cli, tmp_path, monkeypatch):
    script, letter = tmp_path / "a.sieve", tmp_path / "letter.eml"
    letter.write_bytes(PLAIN)
    script.write_text('require "spamtest"; if spamtest "9" { discard; }')
    assert "kept in INBOX" in cli(f"sieve test {script} {letter}").out
    monkeypatch.setenv("MAILSERVER_FILTERING__SPAM_HEADER", "X-Spam-Score")
    assert "thrown away" in cli(f"sieve test {script} {letter}").out
