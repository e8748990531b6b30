"""Scripts that say the same are compiled once; what includes others is each user's own."""

import pytest

from mailserver.base.limits import SieveLimits
from mailserver.servers.programs import Programs
from mailserver.sieve.errors import ScriptError


def nothing(location: str, name: str) -> bytes | None:
    return None


def test_the_same_script_is_the_same_program() -> None:
    programs = Programs(SieveLimits(), 10)
    first = programs.get(b"discard;", nothing)
    assert programs.get(b"discard;", nothing) is first
    assert programs.get(b"keep;", nothing) is not first
    assert len(programs) == 2


@pytest.mark.rfc(6609, "3.2")
@pytest.mark.parametrize(
    "script",
    [
        b'require "include"; include :personal "more";',
        b'require "ihave"; if ihave "include" { include :personal "more"; }',
    ],
)
def test_who_includes_others_has_a_program_of_his_own(script: bytes) -> None:
    programs = Programs(SieveLimits(), 10)
    mine = programs.get(script, lambda location, name: b"discard;")
    theirs = programs.get(script, lambda location, name: b"keep;")
    assert mine is not theirs
    assert len(programs) == 0


def test_no_more_are_kept_than_may_be() -> None:
    programs = Programs(SieveLimits(), 3)
    for n in range(9):
        programs.get(b"# %d\r\nkeep;" % n, nothing)
    assert len(programs) == 3


def test_what_does_not_compile_is_told_each_time() -> None:
    programs = Programs(SieveLimits(), 3)
    for _ in range(2):
        with pytest.raises(ScriptError):
            programs.get(b"nonsense", nothing)
    assert len(programs) == 0
