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
