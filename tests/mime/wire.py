"""A reader of IMAP's parenthesised data, strict where RFC 3501 §9 is."""

import re

_TOKEN = re.compile(
    rb"(\()|(\))|\"((?:[^\"\\\r\n\x00\x80-\xff]|\\[\"\\])*)\"|\{(\d+)\}\r\n|(NIL)|(\d+)| (?=[^ )])"
)


def parse_wire(data: bytes) -> list:
    """Nested lists of bytes, int and None; fails on whatever the grammar does not have."""
    stack: list[list] = [[]]
    pos = 0
    while pos < len(data):
        m = _TOKEN.match(data, pos)
        assert m is not None, data[pos : pos + 60]
        pos = m.end()
        opening, closing, quoted, size, nil, number = m.groups()
        if opening:
            stack.append([])
        elif closing:
            done = stack.pop()
            assert done, "an empty list"
            stack[-1].append(done)
        elif quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
        elif size:
            literal = data[pos : pos + int(size)]
            assert len(literal) == int(size)
            assert b"\0" not in literal
            stack[-1].append(literal)
            pos += int(size)
        elif nil:
            stack[-1].append(None)
        elif number:
            stack[-1].append(int(number))
    assert len(stack) == 1
    return stack[0]
