"""enotify with mailto, and fcc."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.sieve.actions import Notify, Vacation
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.mailto import BadMailto, Mailto, parse_mailto
from sieve.sieve_messages import PLAIN
from sieve.sieve_tools import LIMITS, outcome, shown


@pytest.mark.rfc(6068, "2", "5")
@pytest.mark.parametrize(
    ("uri", "mail"),
    [
        ("mailto:bob@example.org", Mailto(("bob@example.org",), (), None, None, ())),
        ("MAILTO:?to=bob@example.org", Mailto(("bob@example.org",), (), None, None, ())),
        (
            "mailto:a@x.test,b%2Bc@x.test?to=d@x.test%2Ca@x.test&cc=e@x.test,b%2bc@x.test",
            Mailto(("a@x.test", "b+c@x.test", "d@x.test"), ("e@x.test",), None, None, ()),
        ),
        (
            "mailto:a@x.test?subject=%C3%BCber%20alles+1&body=one%0D%0Atwo",
            Mailto(("a@x.test",), (), "über alles+1", "one\r\ntwo", ()),
        ),
        (
            "mailto:a@x.test?x-foo=1&Keywords=b%3Dc&body=&subject=",
            Mailto(("a@x.test",), (), "", "", (("X-foo", "1"), ("Keywords", "b=c"))),
        ),
    ],
)
def test_mailto(uri, mail):
    assert parse_mailto(uri) == mail


@pytest.mark.rfc(5436, "2.7")
@pytest.mark.parametrize(
    "name",
    [
        *("From", "sender", "DATE", "message-id", "received", "auto-submitted", "bcc"),
        *("content-type", "mime-version", "resent-to", "list-id", "dkim-signature", "return-path"),
    ],
)
def test_unsafe_fields_are_ignored(name):
    assert parse_mailto(f"mailto:a@x.test?{name}=b@x.test").fields == ()


@pytest.mark.parametrize(
    "uri",
    [
        *("", "mailto:", "mailto:?subject=a", "mailto:nobody", "xmpp:a@x.test", "tel:+1"),
        *(
            "mailto:a@x.test%",
            "mailto:a@x.test?%zz=b",
            "mailto:a@x.test?subject",
            "mailto:a b@x.test",
        ),
        *("mailto:a@x.test?a%0Ab=c", "mailto:a@x.test#f", "mailto:%22a%20b%22@x.test"),
        *("mailto:a@x.test?" + "&".join(f"x{n}=1" for n in range(30)), "mailto:" + "a" * 5_000),
        *("mailto:a@x.test%0d%0aTo:b@x.test", "mailto:a@x.test?=b"),
    ],
)
def test_no_mailto(uri):
    with pytest.raises(BadMailto):
        parse_mailto(uri)


@given(
    st.text(max_size=200),
    st.sampled_from(["", "mailto:", "mailto:a@x.test?", "mailto:a@x.test?cc="]),
)
def test_any_text(text, start):
    try:
        mail = parse_mailto(start + text)
    except BadMailto:
        return
    assert mail.to or mail.cc
    assert all("\r" not in a and "\n" not in a and " " not in a for a in (*mail.to, *mail.cc))


BEFORE = (
    'require ["enotify", "variables", "fcc", "relational", "mailbox", "imap4flags", "special-use"];'
)
TO_X = '"mailto:x@example.org"'


@pytest.mark.rfc(5435, "3", "4", "5", "6", "7")
@pytest.mark.rfc(5436, "2.2", "2.7")
@pytest.mark.rfc(8580, "6.1")
@pytest.mark.parametrize(
    ("script", "actions"),
    [
        (f"notify {TO_X};", ["notify 2 To: x@example.org", "store INBOX"]),
        (f"notify {TO_X}; discard;", ["notify 2 To: x@example.org", "discard"]),
        (f"notify {TO_X}; notify {TO_X};", ["notify 2 To: x@example.org", "store INBOX"]),
        (
            f'notify {TO_X}; notify "mailto:X@example.org,y@example.org";',
            ["notify 2 To: x@example.org", "notify 2 To: y@example.org", "store INBOX"],
        ),
        (
            'set :encodeurl "b" "a b&ü~"; notify "mailto:x@example.org?body=${b}";',
            ["notify 2 To: x@example.org body a b&ü~", "store INBOX"],
        ),
        ('set "m" "xmpp:a@b"; notify "${m}";', ["error", "store INBOX"]),
        ('notify "xmpp:a@b";', ["error", "store INBOX"]),
        (f'set "i" "9"; notify :importance "${{i}}" {TO_X};', ["error", "store INBOX"]),
        ('if valid_notify_method "xmpp:a@b" { notify "xmpp:a@b"; }', ["store INBOX"]),
        (f'if valid_notify_method [{TO_X}, "mailto:"] {{ discard; }}', ["store INBOX"]),
        (f"if valid_notify_method [{TO_X}] {{ discard; }}", ["discard"]),
        (f'if notify_method_capability {TO_X} "Online" "maybe" {{ discard; }}', ["discard"]),
        (f'if notify_method_capability {TO_X} "fcc" "YES" {{ discard; }}', ["discard"]),
        (f'if notify_method_capability {TO_X} "nosuch" "yes" {{ discard; }}', ["store INBOX"]),
        ('if notify_method_capability "tel:1" "online" "maybe" { discard; }', ["store INBOX"]),
        (
            f'if notify_method_capability :count "eq" {TO_X} "online" "1" {{ discard; }}',
            ["discard"],
        ),
        (
            'notify "mailto:' + ",".join(f"a{n}@example.org" for n in range(9)) + '";',
            ["error", "store INBOX"],
        ),
        (
            "".join(f'notify "mailto:a{n}@example.org";' for n in range(6)),
            ["error", "store INBOX"],
        ),
    ],
)
def test_notify(script, actions):
    assert shown(BEFORE + script, PLAIN) == actions


@pytest.mark.rfc(5435, "3.2", "3.3", "3.4", "3.5")
@pytest.mark.rfc(8580, "3.1")
@pytest.mark.parametrize(
    ("script", "error"),
    [
        (f"notify {TO_X};", 'line 1, column 1: "notify" needs  require "enotify"'),
        (BEFORE + '\nnotify "mailto:nobody";', 'line 2, column 8: "mailto:nobody" cannot be used'),
        (BEFORE + f'notify :importance "high" {TO_X};', ':importance must be "1", "2" or "3"'),
        (BEFORE + f"notify :importance 1 {TO_X};", ":importance must be followed by a string"),
        (BEFORE + f'notify :from "me" {TO_X};', ':from "me" is no address'),
        (BEFORE + f'notify :options ["a=b", "=c"] {TO_X};', ':options must be like "name=value"'),
        (BEFORE + f"notify :create {TO_X};", ":create goes with :fcc only"),
        (
            'require ["vacation", "imap4flags"]; vacation :flags "a" "x";',
            ":flags goes with :fcc only",
        ),
        ('require "vacation"; vacation :fcc "Sent" "x";', ':fcc needs  require "fcc"'),
        (
            'require ["vacation","fcc"]; vacation :fcc "Sent" :create "x";',
            'needs  require "mailbox"',
        ),
        ('require "variables"; set :encodeurl "a" "b";', ':encodeurl needs  require "enotify"'),
    ],
)
def test_errors_help(script, error):
    with pytest.raises(ScriptError) as caught:
        compile_script(script.encode(), LIMITS)
    assert error in str(caught.value)


def test_other_methods_are_warned_of():
    (warning,) = compile_script(BEFORE.encode() + b'notify "tel:+1";', LIMITS).warnings
    assert "only mailto: is" in warning


@pytest.mark.rfc(8580, "3", "3.1.1", "3.1.2", "3.1.3", "5")
def test_fcc():
    script = BEFORE.replace("[", '["vacation", ') + (
        'vacation :fcc "Sent" :create :specialuse "\\\\Sent" :flags ["\\\\Seen", "a"] "gone";'
        'notify :fcc "Told" "mailto:x@example.org";'
    )
    vacation, notify, _ = outcome(script, PLAIN).actions
    assert isinstance(vacation, Vacation)
    assert isinstance(notify, Notify)
    carbon = vacation.carbon
    assert (carbon.mailbox, carbon.creates, carbon.special_use) == ("Sent", True, "\\Sent")
    assert carbon.flags == ("\\Seen", "a")
    assert (notify.carbon.mailbox, notify.carbon.flags) == ("Told", None)
    assert "error" in shown(BEFORE + f'set "v" ""; notify :fcc "${{v}}" {TO_X};', PLAIN)
