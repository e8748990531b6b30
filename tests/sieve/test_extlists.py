"""extlists: lists that are kept outside of scripts."""

from collections.abc import Sequence

import pytest

from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Lists
from mailserver.sieve.errors import ScriptError
from sieve.sieve_messages import PLAIN
from sieve.sieve_tools import LIMITS, outcome, shown

LIST = "tag:mailserver,2026:friends"
BEFORE = 'require ["extlists", "variables", "fileinto", "envelope", "date", "copy"];'


class Some(Lists):
    """One list with addresses, one with more than a run may redirect to."""

    def __init__(self) -> None:
        self.lists = {
            LIST: ["bob+lists@example.com", "carol@example.org"],
            "tag:mailserver,2026:days": ["2026-11-22"],
            "tag:mailserver,2026:many": [f"a{n}@example.org" for n in range(50)],
            "tag:mailserver,2026:patterns": ["@example.org"],
            "tag:mailserver,2026:empty": [],
            "urn:ietf:params:sieve:addrbook:default": ["bob+lists@example.com"],
            "urn:ietf:params:sieve:addrbook:Dear ones": ["bob+lists@example.com"],
        }

    def is_known(self, name: str) -> bool:
        return name in self.lists

    def find(self, name: str, values: Sequence[str]) -> str | None:
        return next((v.lower() for v in values if v.lower() in self.lists[name]), None)

    def members(self, name: str, most: int) -> Sequence[str]:
        return self.lists[name][:most]


@pytest.mark.rfc(6134, "2.2", "2.3", "2.5", "2.7")
@pytest.mark.parametrize(
    ("script", "actions"),
    [
        (f'if address :list "from" "{LIST}" {{ discard; }}', ["discard"]),
        (f'if address :list "cc" "{LIST}" {{ discard; }}', ["store INBOX"]),
        (f'if envelope :list "from" "{LIST}" {{ discard; }}', ["discard"]),
        (
            f'if header :list "x" ["{LIST}", "tag:mailserver,2026:days"] {{ discard; }}',
            ["store INBOX"],
        ),
        (
            f'set "v" "Carol@Example.ORG"; if string :list "${{v}}" "{LIST}" {{ fileinto "${{0}}"; }}',
            ["store carol@example.org"],
        ),
        ('if currentdate :list "date" "tag:mailserver,2026:days" { discard; }', ["discard"]),
        (f'if valid_ext_list "{LIST}" {{ discard; }}', ["discard"]),
        (f'if valid_ext_list ["{LIST}", "tag:x.test,2026:y"] {{ discard; }}', ["store INBOX"]),
        ('if valid_ext_list ["nonsense"] { discard; }', ["store INBOX"]),
        ('if valid_ext_list ":addrbook:default" { discard; }', ["discard"]),
        ('if address :list "from" ":aDdRbOOk:%44eFauLt" { discard; }', ["discard"]),
        ('if address :list "to" ":addrbook:default" { discard; }', ["store INBOX"]),
        (
            'if address :list "from" "urn:ietf:params:sieve:addrbook:Dear%20ones" { discard; }',
            ["discard"],
        ),
        ('redirect :list ":addrbook:Dear%20ones";', ["redirect bob+lists@example.com"]),
        ('if address :list "from" ":addrbook:family" { discard; }', ["error", "store INBOX"]),
        ('if address :list "from" "tag:x.test,2026:y" { discard; }', ["error", "store INBOX"]),
        ('set "v" "x y"; if address :list "from" "${v}" { discard; }', ["error", "store INBOX"]),
        (
            f'redirect :list "{LIST}";',
            ["redirect bob+lists@example.com", "redirect carol@example.org"],
        ),
        (
            f'redirect :copy :list "{LIST}";',
            ["redirect bob+lists@example.com", "redirect carol@example.org", "store INBOX"],
        ),
        ('redirect :list "tag:mailserver,2026:empty";', ["store INBOX"]),
        ('redirect :list "tag:mailserver,2026:many";', ["error", "store INBOX"]),
        ('redirect :list "tag:mailserver,2026:patterns";', ["error", "store INBOX"]),
        ('redirect :list "tag:mailserver,2026:nosuch";', ["error", "store INBOX"]),
    ],
)
def test_lists(script, actions):
    assert shown(BEFORE + script, PLAIN, lists=Some()) == actions


@pytest.mark.rfc(6134, "2.2")
@pytest.mark.parametrize(
    ("script", "error"),
    [
        (f'if header :list "a" "{LIST}" {{}}', 'needs  require "extlists"'),
        (
            f'require "extlists"; if header :list :comparator "i;octet" "a" "{LIST}" {{}}',
            "line 1, column 24: :list goes with no comparator",
        ),
        (
            f'require ["extlists", "body"]; if body :list "{LIST}" {{}}',
            'line 1, column 34: "body" cannot ask a list',
        ),
        (
            'require "extlists"; if header :list "a" ["tag:a,2026:b", "friends"] {}',
            'line 1, column 58: "friends" is no name of a list',
        ),
        (
            f'require "extlists"; if header :list :is "a" "{LIST}" {{}}',
            '"header" cannot have :list and :is',
        ),
        ('require "extlists"; redirect :list "bob@example.org";', "is no name of a list"),
    ],
)
def test_errors_help(script, error):
    with pytest.raises(ScriptError) as caught:
        compile_script(script.encode(), LIMITS)
    assert error in str(caught.value)


@pytest.mark.rfc(6134, "2.6")
@pytest.mark.parametrize(
    ("script", "actions"),
    [
        ('if valid_ext_list ":addrbook:default" { discard; }', ["discard"]),
        ('if address :list "from" ":addrbook:default" { discard; }', ["store INBOX"]),
        ('if valid_ext_list ":addrbook:family" { discard; }', ["store INBOX"]),
        ('if address :list "from" ":addrbook:family" { discard; }', ["error", "store INBOX"]),
        ('redirect :list ":addrbook:default";', ["store INBOX"]),
    ],
)
def test_the_default_address_book_is_there_without_anybody_in_it(script, actions):
    assert shown(BEFORE + script, PLAIN) == actions


def test_asking_costs():
    many = BEFORE + "if true {" + f'if address :list "from" "{LIST}" {{}}' * 9_000 + "}"
    done = outcome(many, PLAIN, lists=Some())
    assert "takes too long" in str(done.error)
