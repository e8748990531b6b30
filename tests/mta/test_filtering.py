"""Plans that several scripts of one account make together."""

import pytest

from mailserver.base.limits import SieveLimits
from mailserver.mta.filtering import JUST_KEPT, Compiled, plan
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.message import Message

LIMITS = SieveLimits()
RAW = b"Subject: news\r\n\r\nhello\r\n"


def planned(*scripts: str):
    compiled = [
        Compiled("main", compile_script(script.encode(), LIMITS, load=lambda place, name: None))
        for script in scripts
    ]
    message = Message(RAW, RAW.index(b"hello"), len(RAW), lambda: None)
    return plan(compiled, message, Environment(), LIMITS)


@pytest.mark.rfc(5228, "2.10.2")
@pytest.mark.parametrize(
    "scripts",
    [
        (),
        ("",),
        ('if header :is "subject" "other" { discard; }',) * 3,
        ('require "imap4flags"; if header :is "subject" "other" { addflag "\\\\Seen"; }', "stop;"),
    ],
)
def test_scripts_without_a_say(scripts):
    """Then mail goes the way of mail for somebody who has none."""
    assert planned(*scripts) == JUST_KEPT


@pytest.mark.parametrize(
    "scripts",
    [
        ("keep;",),
        ("", 'require "copy"; redirect :copy "bob@example.test";'),
        ('require "imap4flags"; addflag "\\\\Seen";', ""),
        ('require "editheader"; addheader "X-A" "a";',),
        ("", "discard;"),
        ("", 'require "vacation"; vacation "gone";'),
        ("", 'require "variables"; redirect "${a}";'),  # an error, of which its owner is told
    ],
)
def test_scripts_with_a_say(scripts):
    assert planned(*scripts) != JUST_KEPT
