"""Parts of messages: tests of them, loops over them, others in their places, messages around messages."""

import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.base.limits import SieveLimits
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.edited import Edited
from mailserver.sieve.errors import ScriptError
from sieve.sieve_messages import ALL, ALTERNATIVE, BARE, NESTED, NO_BODY, PLAIN
from sieve.sieve_tools import LIMITS, message, outcome, shown

ALL_OF_IT = (
    'require ["foreverypart", "mime", "replace", "enclose", "extracttext", "variables", "fileinto",'
    ' "copy", "editheader", "body", "relational", "comparator-i;ascii-numeric", "include"];\n'
)


def octets(edited: Edited, raw: bytes) -> bytes:
    """The message that *edited* is."""
    start = message(raw).root.layout.body_start
    pieces = edited.pieces(start, len(raw))
    return b"".join(p if isinstance(p, bytes) else raw[p.start : p.end] for p in pieces)


def made(script: str, raw: bytes, **known: object) -> bytes:
    """The message as the last action has it."""
    done = outcome(ALL_OF_IT + script, raw, **known)
    assert done.error is None, done.error
    edited = done.actions[-1].edited
    return raw if edited is None else octets(edited, raw)


def parsed(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


# loops


@pytest.mark.rfc(5703, "3")
def test_each_part_is_visited_depth_first():
    script = ALL_OF_IT + (
        'foreverypart { if header :mime :contenttype :matches "content-type" "*" { fileinto "${0}"; }'
        ' else { fileinto "none"; } }'
    )
    assert shown(script, NESTED) == [
        "store multipart/mixed",
        "store text/plain",
        "store message/rfc822",
        "store application/octet-stream",
    ]
    assert shown(script, PLAIN) == ["store none"]


@pytest.mark.rfc(5703, "3")
def test_an_inner_loop_sees_what_is_inside_of_the_part():
    script = ALL_OF_IT + (
        'set "n" ""; foreverypart { set "n" "${n}o"; foreverypart { set "n" "${n}i"; } } fileinto "${n}";'
    )
    # the message has four parts inside, the message in it one, the others none
    assert shown(script, NESTED) == ["store oiiiiooioo"]
    assert shown(script, PLAIN) == ["store o"]


@pytest.mark.rfc(5703, "3")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('foreverypart { set "n" "${n}a"; break; set "n" "${n}b"; }', "a"),
        ('foreverypart :name "x" { foreverypart { set "n" "${n}a"; break :name "x"; } }', "a"),
        (
            'foreverypart :name "x" { foreverypart :name "x" { set "n" "${n}a"; break :name "x"; }'
            ' set "n" "${n}b"; break; }',
            "ab",
        ),
        ('foreverypart { if true { foreverypart { break; } } set "n" "${n}a"; }', "aaaaa"),
        ('foreverypart { set "n" "${n}a"; stop; }', None),
    ],
)
def test_break(script, said):
    found = shown(ALL_OF_IT + f'set "n" ""; {script} fileinto "${{n}}";', NESTED)
    assert found == (["store INBOX"] if said is None else [f"store {said}"])


@pytest.mark.rfc(5703, "3", "4.1", "5", "7")
@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("break;", '"break" stands in no foreverypart'),
        ('foreverypart { break :name "x"; }', '"break" stands in no foreverypart named "x"'),
        ('foreverypart :name "${x}" { }', "no variable can stand here"),
        ("foreverypart;", "must be followed by a block"),
        ('if header :anychild "a" "b" { }', ":anychild goes with :mime only"),
        ('if header :type "a" "b" { }', ":type goes with :mime only"),
        ('if header :mime :type :subtype "a" "b" { }', "cannot have :type and :subtype"),
        ('if exists :mime :param "x" "a" { }', '"exists" has no tag :param'),
        ('replace :mime :subject "x" "y";', ":subject and :from do not go with it"),
        ('replace :from "nobody" "y";', "is no address"),
        ('extracttext "x";', '"extracttext" stands in no foreverypart'),
        ('foreverypart { extracttext "1x"; }', "is no name of a variable"),
        ('foreverypart { extracttext :first "x" "y"; }', ":first must be followed by a number"),
        ("enclose;", "lacks an argument"),
    ],
)
def test_mistakes(script, error):
    with pytest.raises(ScriptError, match=error):
        compile_script((ALL_OF_IT + script).encode(), LIMITS)


def test_an_included_script_begins_outside_of_the_loop():
    program = compile_script(
        b'require ["foreverypart", "include"]; foreverypart { include "x"; }',
        LIMITS,
        load=lambda where, name: (
            b'require ["mime", "fileinto"]; '
            b'if header :mime "subject" "fwd: report" { fileinto "top"; }'
        ),
    )
    from mailserver.sieve.environment import Environment
    from mailserver.sieve.run import run

    done = run(program, message(NESTED), Environment(), LIMITS)
    assert [type(action).__name__ for action in done.actions] == ["FileInto"]
    with pytest.raises(ScriptError, match="stands in no foreverypart"):
        compile_script(
            b'require ["foreverypart", "include"]; foreverypart { include "x"; }',
            LIMITS,
            load=lambda where, name: b'require "foreverypart"; break;',
        )


# tests


@pytest.mark.rfc(5703, "4.1", "4.2", "4.3")
@pytest.mark.parametrize(
    ("test", "is_true"),
    [
        ('header :mime :type "content-type" "multipart"', True),
        ('header :mime :subtype "content-type" "mixed"', True),
        ('header :mime :contenttype "content-type" "multipart/mixed"', True),
        ('header :mime :type "content-type" "application"', False),
        ('header :mime :anychild :type "content-type" "application"', True),
        ('header :mime :anychild :contenttype "content-disposition" "attachment"', True),
        ('header :mime :anychild :subtype "content-disposition" ""', True),
        ('header :mime :type "subject" ""', True),
        ('header :mime :param "boundary" "content-type" "outer"', True),
        ('header :mime :anychild :param "FILENAME" "content-disposition" "a.bin"', True),
        ('header :mime :anychild :param ["x", "name"] "content-type" "a.bin"', True),
        ('header :mime :anychild :param "nosuch" "content-type" ""', False),
        ('header :mime :anychild :param "name" :count "eq" "content-type" "1"', True),
        ('header :mime :anychild :type :count "eq" "content-type" "5"', True),
        ('header :mime :anychild "subject" "the inner one"', True),
        ('header :mime "subject" "the inner one"', False),
        ('address :mime :anychild "from" "inner@example.com"', True),
        ('address :mime "from" "inner@example.com"', False),
        ('address :mime :anychild "content-from" "x@example.com"', False),
        ('exists :mime :anychild "content-disposition"', True),
        ('exists :mime "content-disposition"', False),
        ('exists :mime :anychild ["content-disposition", "content-transfer-encoding"]', True),
        ('exists :mime :anychild ["content-disposition", "to"]', False),
    ],
)
def test_tests(test, is_true):
    script = ALL_OF_IT + f'if {test} {{ fileinto "yes"; }}'
    assert shown(script, NESTED)[0] == ("store yes" if is_true else "store INBOX")


@pytest.mark.rfc(5703, "4.1")
@pytest.mark.parametrize(
    "value",
    [
        'attachment; filename="=?utf-8?q?gr=C3=BCn.txt?="',
        "attachment; filename*=utf-8''gr%C3%BCn.txt",
        "attachment; filename*0*=utf-8''gr%C3; filename*1*=%BCn.txt",
    ],
)
def test_parameters_are_decoded(value):
    raw = f"Content-Disposition: {value}\r\n\r\nx\r\n".encode()
    script = (
        'if header :mime :param "filename" "content-disposition" "grün.txt" { fileinto "yes"; }'
    )
    assert shown(ALL_OF_IT + script, raw)[0] == "store yes"


# extracttext


@pytest.mark.rfc(5703, "7")
@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        ("Content-Type: text/plain; charset=iso-8859-1", b"gr\xfcn", "grün"),
        ("Content-Type: text/plain; charset=utf-8", b"gr\xc3\xbcn", "grün"),
        ("Content-Type: text/plain; charset=utf-8", b"gr\xfcn", ""),
        ("Content-Type: text/plain; charset=x-nobody-knows", b"green", ""),
        ("Content-Transfer-Encoding: base64", b"Z3LDvG4=", "grün"),
        ("Content-Transfer-Encoding: quoted-printable", b"gr=C3=BCn", "grün"),
        ("Content-Transfer-Encoding: x-zip", b"green", ""),
        ("Content-Type: text/html", b"<b>grey</b>", "<b>grey</b>"),
        ("Content-Type: text/plain; charset=utf-16", "grün".encode("utf-16"), "grün"),
    ],
)
def test_extracttext(header, body, text):
    raw = header.encode() + b"\r\n\r\n" + body
    script = 'foreverypart { extracttext "t"; } addheader "X-T" "<${t}>"; keep;'
    assert parsed(made(script, raw))["X-T"] == f"<{text}>"


@pytest.mark.rfc(5703, "7")
def test_extracttext_with_modifiers_and_bounds():
    script = 'foreverypart { extracttext :first 5 :upper "t"; } addheader "X-T" "${t}"; keep;'
    assert parsed(made(script, PLAIN))["X-T"] == "HELLO"
    script = 'foreverypart { extracttext :length "t"; } addheader "X-T" "${t}"; keep;'
    assert parsed(made(script, b"\r\n" + b"a" * 1_000_000))["X-T"] == str(LIMITS.variable_size)


# replace


@pytest.mark.rfc(5703, "5", "9.1")
def test_a_part_is_replaced():
    script = (
        'foreverypart { if header :mime :type "content-type" "application" { replace "It is gone: grün."; } }'
        " keep;"
    )
    new = parsed(made(script, NESTED))
    text, inner, gone = new.iter_parts()
    assert gone.get_content_type() == "text/plain"
    assert gone.get_content().strip() == "It is gone: grün."
    assert text.get_content().strip() == "See the attachment."
    assert inner.get_content()["Subject"] == "the inner one"
    raw, after = NESTED, made(script, NESTED)
    assert (
        after[: raw.index(b"Content-Type: application")] == raw[: raw.index(b"Content-Type: app")]
    )
    assert after.endswith(b"\r\n--outer--\r\n")


@pytest.mark.rfc(5703, "5")
def test_what_is_inside_of_a_replaced_part_is_not_visited():
    script = (
        'set "n" ""; foreverypart { set "n" "${n}x"; if header :mime :type "content-type" "multipart"'
        ' { replace :mime "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"; } }'
        ' foreverypart { set "n" "${n}y"; } addheader "X-N" "${n}"; keep;'
    )
    assert parsed(made(script, NESTED))["X-N"] == "xyy"


@pytest.mark.rfc(5703, "5")
@pytest.mark.rfc(2047, "5")
def test_the_whole_message_is_replaced():
    script = 'replace :subject "Grüße" :from "Bot <bot@example.org>" "hello"; keep;'
    after = made(script, PLAIN)
    new = parsed(after)
    assert new.get_content() == "hello\r\n"
    assert (new["Subject"], new["Original-Subject"]) == (
        "Grüße",
        "[acme-users] [fwd] version 1.0 is out",
    )
    assert new["From"] == "Bot <bot@example.org>"
    assert new["Original-From"] == "Bob Jones <bob+lists@Example.COM>"
    assert new["Message-ID"] == "<one@example.com>"
    assert b"Subject: =?utf-8?B?" in after
    assert len(new.get_all("Received")) == 2
    # nothing tells of the former content
    new = parsed(made('replace "hello"; keep;', ALTERNATIVE))
    assert (new.get_content_type(), new["Subject"]) == ("text/plain", "Grüße aus München 😀")


@pytest.mark.rfc(5703, "5")
def test_what_replace_has_kept_editheader_leaves_alone():
    script = 'replace :subject "b" "x"; deleteheader "original-subject"; addheader "Original-From" "x"; keep;'
    new = parsed(made(script, PLAIN))
    assert new["Original-Subject"] == "[acme-users] [fwd] version 1.0 is out"
    assert new["Original-From"] is None


@pytest.mark.rfc(5703, "5")
def test_an_embedded_message_keeps_its_fields():
    script = 'foreverypart { if header :mime "subject" "the inner one" { replace "x"; } } keep;'
    _, inner, _ = parsed(made(script, NESTED)).iter_parts()
    assert inner.get_content()["From"] == "inner@example.com"
    assert inner.get_content().get_content().strip() == "x"


@pytest.mark.rfc(2046, "5.1.1")
def test_no_text_ends_the_multipart_around_it():
    for text in ("--outer", "a\r\n--outer--\r\n", "x\n--outer\n", "--" * 600):
        script = f'foreverypart {{ if header :mime :type "content-type" "application" {{ replace "{text}"; }} }} keep;'
        new = parsed(made(script, NESTED))
        *_, last = new.iter_parts()
        assert len(list(new.iter_parts())) == 3
        assert last.get_content().split() == text.split()
    entity = "Content-Type: text/plain\r\n\r\nx\r\n--outer--\r\n"
    script = f'foreverypart {{ if header :mime :type "content-type" "text" {{ replace :mime "{entity}"; }} }}'
    done = outcome(ALL_OF_IT + script, NESTED)
    assert "holds the boundary" in str(done.error)
    (action,) = done.actions
    assert action.edited is None  # what came is kept, as it came


@pytest.mark.rfc(5228, "2.10.6")
def test_an_error_keeps_the_message_that_came():
    limits = SieveLimits(changes=2)
    script = ALL_OF_IT + 'replace "a"; fileinto "x"; replace "b"; replace "c";'
    done = outcome(script, PLAIN, limits)
    assert "change a message 2 times" in str(done.error)
    (action,) = done.actions
    assert action.edited is None
    done = outcome(ALL_OF_IT + 'replace "12345678901";', PLAIN, SieveLimits(changed_size=10))
    assert "write 10 octets" in str(done.error)


# enclose


@pytest.mark.rfc(5703, "6", "11")
@pytest.mark.parametrize("name", ALL)
def test_enclose(name):
    raw = ALL[name]
    after = made('enclose :subject "Look out, Grüße" "This is\nwhat came:"; keep;', raw)
    new = parsed(after)
    assert new.get_content_type() == "multipart/mixed"
    text, inner = new.iter_parts()
    assert text.get_content().split() == ["This", "is", "what", "came:"]
    assert raw in after  # octet for octet
    assert inner.get_content_type() == "message/rfc822"
    assert inner.get_content()["Subject"] == parsed(raw)["Subject"]
    assert (new["Subject"], new["From"]) == ("Look out, Grüße", "alice+detail@example.test")
    assert new["Date"].datetime.year == 2026
    assert new["To"] is None


@pytest.mark.rfc(5703, "6")
def test_enclose_copies_fields():
    new = parsed(made('enclose :headers ["From", "to", "Content-Type", "date"] "x"; keep;', PLAIN))
    assert new["From"] == "Bob Jones <bob+lists@Example.COM>"
    assert new["To"] == 'alice@example.test, "Carol, Jr." <carol@example.org>'
    assert new["Subject"] == "[acme-users] [fwd] version 1.0 is out"
    assert new["Date"] == "Mon, 23 Nov 2026 10:00:00 +0100"
    assert new.get_content_type() == "multipart/mixed"


@pytest.mark.rfc(5703, "6")
def test_what_follows_sees_the_new_message():
    script = (
        'addheader "X-Old" "1"; enclose :subject "new" "warning text"; addheader "X-New" "1";'
        ' if allof (header "subject" "new", not exists "x-old", exists "x-new",'
        ' header :mime :type "content-type" "multipart", body :contains "warning text",'
        ' body :contains "plain text") { fileinto "seen"; }'
    )
    done = outcome(ALL_OF_IT + script, PLAIN)
    (action,) = done.actions
    new = parsed(octets(action.edited, PLAIN))
    _, inner = new.iter_parts()
    assert inner.get_content()["X-Old"] == "1"
    assert (new["X-New"], new["X-Old"]) == ("1", None)


@pytest.mark.rfc(5703, "6")
def test_redirects_are_not_enclosed():
    script = (
        'addheader "X-A" "1"; enclose "x"; redirect :copy "a@example.org"; addheader "X-B" "1";'
        ' redirect "b@example.org"; fileinto "here";'
    )
    one, two, three = outcome(ALL_OF_IT + script, PLAIN).actions
    for sent in (one, two):
        assert octets(sent.edited, PLAIN) == b"X-A: 1\r\n" + PLAIN
    assert parsed(octets(three.edited, PLAIN)).get_content_type() == "multipart/mixed"
    (sent,) = outcome(ALL_OF_IT + 'enclose "x"; redirect "b@example.org";', PLAIN).actions
    assert sent.edited is None


@pytest.mark.rfc(5703, "6")
def test_enclosed_twice_and_changed_inside():
    script = 'foreverypart { enclose "once"; enclose "twice"; replace "changed"; break; } keep;'
    new = parsed(made(script, ALTERNATIVE))
    _, outer = new.iter_parts()
    _, inner = outer.get_content().iter_parts()
    assert inner.get_content().get_content() == "changed"
    assert inner.get_content()["Subject"] == "Grüße aus München 😀"


@pytest.mark.rfc(2046, "5.1.1")
def test_a_boundary_that_the_message_has_is_made_longer():
    script = 'enclose "x"; keep;'
    first = parsed(made(script, PLAIN + b"x" * 60)).get_boundary()
    guessed = PLAIN + f"--{first}--".encode().ljust(
        60, b"x"
    )  # of the same size, so of the same seed
    after = parsed(made(script, guessed))
    assert after.get_boundary() == first + "_"
    _, inner = after.iter_parts()
    assert inner.get_content()["Subject"] == parsed(PLAIN)["Subject"]


# bounds


@pytest.mark.rfc(5703, "11")
def test_loops_end():
    many = "".join(f"--b\r\n\r\n{n}\r\n" for n in range(3_000)).encode()
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many + b"--b--\r\n"
    inner = 'if header :mime :anychild "x" "y" { }'
    for _ in range(10):
        inner = f"foreverypart {{ {inner} }}"
    done = outcome(ALL_OF_IT + f"foreverypart {{ foreverypart {{ }} {inner} }}", raw)
    assert done.error is None  # what is inside of a leaf is nothing
    tests = 'if header :mime :anychild "x" "y" { } ' * 200
    done = outcome(ALL_OF_IT + f"foreverypart {{ {tests} }}", raw)
    assert "takes too long" in str(done.error)


def test_many_enclosures_end():
    done = outcome(ALL_OF_IT + 'enclose "x"; ' * 101, PLAIN)
    assert "change a message 100 times" in str(done.error)
    done = outcome(ALL_OF_IT + 'enclose "x"; ' * 100 + "foreverypart { } keep;", PLAIN)
    assert done.error is None
    assert PLAIN in octets(done.actions[0].edited, PLAIN)


_PARTS = st.recursive(
    st.sampled_from(
        [
            b"Content-Type: text/plain\r\n\r\nhello\r\n",
            b"\r\n",
            b"no header at all",
            b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
            b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody",
        ]
    ),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: (
            b"Content-Type: multipart/mixed; boundary=%db\r\n\r\n" % len(b"".join(parts))
            + b"".join(b"--%db\r\n" % len(b"".join(parts)) + part + b"\r\n" for part in parts)
            + b"--%db--\r\n" % len(b"".join(parts))
        )
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(_PARTS | st.binary(max_size=300), st.integers(0, 12))
def test_nothing_but_the_part_changes(raw, number):
    """Whatever a message is, all of it that is not replaced stays as it is, and nothing but an error is raised."""
    seen = message(raw)
    parts = list(seen.root.descendants())
    seen.has_new_body = True
    assert octets(seen.edited(), raw) == raw
    part = parts[number % len(parts)]
    if part is seen.root:
        return
    place = part.place
    seen.replace(part, b"X: y\r\n\r\nnew")
    wanted = raw[: place.start] + b"X: y\r\n\r\nnew" + raw[place.end :]
    assert octets(seen.edited(), raw) == wanted


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_any_message_can_be_enclosed(raw):
    after = made('enclose "x"; keep;', raw)
    assert raw in after or b"\r\n\r\n" not in raw  # a header that does not end is ended
    seen = message(after)
    assert seen.root.layout.type == "multipart"
    assert [part.layout.type for part in seen.root.inside] == ["text", "message"]


def test_bodies_that_are_not_there():
    for raw in (BARE, NO_BODY, b""):
        assert b"hello" in made('replace "hello"; keep;', raw)
        assert b"hello" in made('enclose "hello"; keep;', raw)
