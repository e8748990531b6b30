"""Scripts that try to explode: each ends with the right error, in bounded time, and the message is kept."""

import time
from collections.abc import Iterator

import pytest

from mailserver.base.limits import SieveLimits
from mailserver.sieve.compiler import compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.run import run
from sieve.sieve_messages import PLAIN
from sieve.sieve_tools import LIMITS, message, outcome

LONG = b"Subject: " + b"ab" * 200_000 + b"\r\n\r\nbody\r\n"


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """Each ends within a few seconds of CPU, however busy the machine is."""
    before = time.process_time()
    yield
    assert time.process_time() - before < 10


@pytest.mark.rfc(5228, "2.10.7")
@pytest.mark.parametrize(
    "script",
    [
        b"if true {" * 7_000,
        b"if true {" * 7_000 + b"}" * 7_000,
        b"if anyof(" * 7_000 + b"true" + b")" * 7_000 + b" {}",
        b"if not " * 9_000 + b"true {}",
        b"if true {" * 33 + b"keep;" + b"}" * 33,
        b"[" * 65_536,
        b"{" * 65_536,
        b"/*" * 32_768,
        b'"' * 65_535,
        b"if allof(" + b"true," * 15_000 + b"true" + b"{" * 5_000,
    ],
)
def test_64_kb_of_nesting_do_not_compile(script):
    with pytest.raises(ScriptError):
        compile_script(script, LIMITS)


def test_wide_blocks_within_bounds_compile():
    block = b"if true {" * 30 + b"keep;" + b"}" * 30
    compile_script(block * (65_536 // len(block)), LIMITS)


@pytest.mark.parametrize(
    "key",
    [
        "*a*" * 1_000 + "c",
        "*" * 60_000 + "c",
        "?*" * 5_000 + "c",
        "*ab" * 10_000 + "c",
        "*b?" * 3_000,
    ],
)
def test_stars(key):
    for match in ("", ':comparator "i;unicode-casemap" '):
        needs = 'require "comparator-i;unicode-casemap"; ' if match else ""
        script = f'{needs}if header :matches {match}"subject" "{key}" {{ discard; }}'
        done = outcome(script, LONG)
        assert done.error is None or "takes too long" in str(done.error)
        assert [type(action).__name__ for action in done.actions] in (["Keep"], ["Discard"])


def test_matches_within_matches():
    """Each result is the pattern, and the value, of the next."""
    inner = 'if string :matches "${1}${1}" "*a*${2}*" { %s }'
    script = "keep;"
    for _ in range(28):
        script = inner % script
    script = 'require "variables"; if header :matches "subject" "*a*b*" { ' + script + " }"
    done = outcome(script, LONG)
    assert done.error is None or "takes too long" in str(done.error)


@pytest.mark.rfc(5228, "10")
def test_a_thousand_redirects():
    script = "".join(f'redirect "u{n}@example.org";' for n in range(1_000))
    done = outcome(script, PLAIN)
    assert "redirect to 10 addresses" in str(done.error)
    assert [type(action).__name__ for action in done.actions] == ["Keep"]
    done = outcome('redirect "a@example.org";' * 1_000, PLAIN)
    assert done.error is None
    assert len(done.actions) == 1


def _including(scripts: dict[str, str], main: str, limits: SieveLimits = LIMITS):
    def load(location: str, name: str) -> bytes | None:
        found = scripts.get(name)
        return None if found is None else f'require "include"; {found}'.encode()

    program = compile_script(f'require "include"; {main}'.encode(), limits, load=load)
    return run(program, message(PLAIN), Environment(), limits)


@pytest.mark.rfc(6609, "3.2")
@pytest.mark.parametrize(
    "scripts",
    [
        {"a": 'include "a";'},
        {"a": 'include "b";', "b": 'include "a";'},
        {"a": 'include :once "b";', "b": 'include :optional "c";', "c": 'include "a";'},
        {"a": 'if false { include "b"; }', "b": 'include :once "a";'},
    ],
)
def test_circles_of_including_do_not_compile(scripts):
    with pytest.raises(ScriptError, match="includes itself"):
        _including(scripts, 'include "a";')


@pytest.mark.rfc(6609, "3.2")
def test_including_ends():
    chain = {str(n): f'include "{n + 1}";' for n in range(20)}
    with pytest.raises(ScriptError, match="10 levels deep"):
        _including(chain, 'include "0";')
    many = {str(n): "keep;" for n in range(100)}
    with pytest.raises(ScriptError, match="more than 50 scripts"):
        _including(many, "".join(f'include "{n}";' for n in range(100)))
    tree = {str(n): f'include "{n + 1}";' * 20 for n in range(8)} | {"8": "keep;"}  # 20^8 runs
    done = _including(tree, 'include "0";')
    assert "takes too long" in str(done.error)
    assert [type(action).__name__ for action in done.actions] == ["Keep"]


def test_variables_that_double():
    script = 'require "variables"; set "a" "0123456789"; ' + 'set "a" "${a}${a}${a}";' * 1_000
    script += 'if string :matches "${a}" "*${a}*" { discard; }'
    done = outcome(script, PLAIN)
    assert done.error is None or "takes too long" in str(done.error)


def test_loops_in_loops_over_many_parts():
    parts = b"".join(b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" for _ in range(5_000))
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"
    loops = 'if header :mime :anychild :param "x" "content-type" "y" { }'
    for _ in range(20):
        loops = f"foreverypart {{ {loops} }}"
    done = outcome(f'require ["foreverypart", "mime"]; {loops * 50}', raw)
    assert done.error is None or "takes too long" in str(done.error)
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(200)
    )
    done = outcome(f'require ["foreverypart", "mime"]; {loops}', deep + b"\r\nx")
    assert "takes too long" in str(done.error)
