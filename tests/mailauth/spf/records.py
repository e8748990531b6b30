"""SPF records for hypothesis: every term that there is, with every macro."""

from hypothesis import strategies as st

from mailserver.mailauth.spf.macros import Macro, MacroString
from mailserver.mailauth.spf.record import Directive, Record

LETTERS = st.sampled_from("slodiphv")
MACROS = st.one_of(
    st.builds(Macro, st.sampled_from("%_-")),
    st.builds(
        Macro,
        LETTERS,
        st.integers(0, 128),
        st.booleans(),
        st.text("-.+,/_=", max_size=4),
        is_escaped=st.booleans(),
    ),
)
PLAIN = st.text("abcZ09.-_!#~/:=", min_size=1, max_size=8)


@st.composite
def specs(draw: st.DrawFn) -> MacroString:
    parts: list[str | Macro] = []
    for part in draw(st.lists(st.one_of(MACROS, PLAIN), max_size=4)):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            continue
        parts.append(part)
    end = draw(st.one_of(MACROS, st.sampled_from([".example", ".x-y", ".example.", ".1a"])))
    if isinstance(end, str) and parts and isinstance(parts[-1], str):
        parts[-1] += end
    else:
        parts.append(end)
    letters = frozenset(part.letter for part in parts if isinstance(part, Macro))
    return MacroString(tuple(parts), letters - set("%_-"))


QUALIFIERS = st.sampled_from("+-~?")
DIRECTIVES = st.one_of(
    st.builds(Directive, QUALIFIERS, st.just("all")),
    st.builds(Directive, QUALIFIERS, st.sampled_from(["include", "exists"]), specs()),
    st.builds(Directive, QUALIFIERS, st.just("ptr"), st.none() | specs()),
    st.builds(
        Directive,
        QUALIFIERS,
        st.sampled_from(["a", "mx"]),
        st.none() | specs(),
        four=st.integers(0, 32),
        six=st.integers(0, 128),
    ),
    st.builds(
        Directive, QUALIFIERS, st.just("ip4"), st.none(), st.ip_addresses(v=4), st.integers(0, 32)
    ),
    st.builds(
        Directive,
        QUALIFIERS,
        st.just("ip6"),
        st.none(),
        st.ip_addresses(v=6),
        six=st.integers(0, 128),
    ),
)
RECORDS = st.builds(
    Record,
    st.lists(DIRECTIVES, max_size=6).map(tuple),
    st.none() | specs(),
    st.none() | specs(),
    st.lists(st.sampled_from(["x=", "a.b-c_d=%{s}/1"]), max_size=2).map(tuple),
)
