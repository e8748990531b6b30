"""FUZZY: what is found although it was not written quite so.

Spec: RFC 6203 §3, §5.  Status: complete.

A text that is looked for fuzzily is found where all its words are, in any order and with any ending.  Only texts are
looked for so; other keys match as ever (§5).
"""

from typing import Final, NamedTuple

#: keys whose argument is a text, or a field's name and a text
KEYS: Final = frozenset({"SUBJECT", "FROM", "TO", "CC", "BCC", "BODY", "TEXT", "HEADER"})

#: words of one text that count; more of them narrow nothing down
_WORDS: Final = 16


class Grades(NamedTuple):
    """Arguments that a message has to match all of, to have been found in this way.

    exact: the text as it was written.     words: its words, in any order.     stems: these without their endings.
    """

    exact: list[object]
    words: list[object]
    stems: list[object]


def grades(argument: object) -> Grades | None:
    """How the decoded *argument* of one of KEYS is looked for; None where there is nothing to be fuzzy about."""
    if isinstance(argument, tuple):
        name, text = argument
        found = grades(text)
        if found is None:
            return None
        exact, words, stems = ([(name, one) for one in grade] for grade in found)
        return Grades([*exact], [*words], [*stems])
    parts = list(dict.fromkeys(str(argument).split()))[:_WORDS]
    if not parts:
        return None
    return Grades([argument], [*parts], [*dict.fromkeys(map(stem, parts))])


def stem(word: str) -> str:
    """*word* without what its ending may be: two letters of a long word, one of a short one, none of a very short."""
    if len(word) >= 7:
        return word[:-2]
    return word[:-1] if len(word) >= 4 else word
