"""Small messages that try one odd thing each, and a generator of random MIME trees; all made here, none received."""

from __future__ import annotations

import random  # noqa: TID251 - only random.Random with a seed, so that each run makes the same mail
from collections.abc import Iterator

from outside.corpus import Sample

HEAD = "From: a@example.org\r\nTo: b@example.test\r\nSubject: s\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\n"
MIME = HEAD + "MIME-Version: 1.0\r\n"


def mixed(
    *parts: str, boundary: str = "x", kind: str = "mixed", before: str = "", after: str = ""
) -> str:
    """A multipart's own header field, an empty line and its body."""
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary={boundary}\r\n\r\n{before}{body}--{boundary}--\r\n{after}"


TEXT = "Content-Type: text/plain\r\n\r\nHello"
HTML = 'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>H=C3=A4</p>'
INNER = "Subject: inner\r\nFrom: Inner <i@example.org>\r\n\r\nInside\r\n"
CALENDAR = "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\nContent-ID: <c@x>\r\n\r\nBEGIN:VCALENDAR"

HAND: dict[str, str] = {
    "empty": "\r\n",
    "header only": HEAD,
    "header and empty line": HEAD + "\r\n",
    "no header": "\r\nHello\r\n",
    "no header, no empty line": "Hello there, no colon here\r\n\r\nbody\r\n",
    "no last line break": HEAD + "\r\nHello",
    "body starts with empty lines": HEAD + "\r\n\r\n\r\nHello\r\n",
    "plain": MIME + TEXT + "\r\n",
    "unquoted slash": MIME + "Content-Type: text/plain; name=a/b.txt\r\n\r\nHello\r\n",
    "parameter without value": MIME + "Content-Type: text/plain; charset\r\n\r\nHello\r\n",
    "parameter with empty value": MIME
    + 'Content-Type: text/plain; charset=; name=""\r\n\r\nHello\r\n',
    "semicolons without parameters": MIME
    + "Content-Type: text/plain;;; charset=utf-8;\r\n\r\nHello\r\n",
    "same parameter twice": MIME
    + "Content-Type: text/plain; charset=utf-8; charset=ascii\r\n\r\nHello\r\n",
    "comment in content type": MIME
    + "Content-Type: text/plain (really); charset=(what?)utf-8\r\n\r\nHello\r\n",
    "content type without subtype": MIME + "Content-Type: text\r\n\r\nHello\r\n",
    "content type of nothing": MIME + "Content-Type:\r\n\r\nHello\r\n",
    "content type of rubbish": MIME + "Content-Type: /;=;;\r\n\r\nHello\r\n",
    "content type twice": MIME
    + "Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\nHello\r\n",
    "upper case": MIME
    + "CONTENT-TYPE: TEXT/PLAIN; CHARSET=UTF-8\r\nCONTENT-TRANSFER-ENCODING: BASE64\r\n\r\nSGk=\r\n",
    "no mime-version": HEAD + "Content-Type: text/html\r\n\r\n<p>\r\n",
    "encoding of rubbish": MIME
    + "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8-bit (x)\r\n\r\nHello\r\n",
    "encoding of nothing": MIME
    + "Content-Type: text/plain\r\nContent-Transfer-Encoding:\r\n\r\nHello\r\n",
    "long rfc 2231 parameter": MIME
    + 'Content-Type: text/plain; name*0="abc"; name*1="def.txt"\r\n\r\nHello\r\n',
    "rfc 2231 charset": MIME
    + "Content-Disposition: attachment; filename*=utf-8''na%C3%AFve.txt\r\n\r\nHello\r\n",
    "disposition with dates": MIME
    + 'Content-Disposition: attachment; filename="x y.txt"; size=5;\r\n'
    ' creation-date="Mon, 2 Mar 2026 10:00:00 +0100"\r\n\r\nHello',
    "disposition alone": MIME + "Content-Disposition: inline\r\n\r\nHello\r\n",
    "md5, language, location": MIME
    + "Content-Type: text/plain\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
    "Content-Language: en, de (both)\r\nContent-Location: http://example.org/a\r\nContent-Description: what it is\r\n"
    "Content-ID: <one@example.org>\r\n\r\nHello\r\n",
    "quotes and backslashes": MIME + 'Content-Type: text/plain; name="a\\"b\\\\c"\r\n\r\nHello\r\n',
    "folded content type": MIME
    + "Content-Type:\r\n text/plain;\r\n\tcharset=utf-8;\r\n name=x\r\n\r\nHello\r\n",
    "alternative": MIME + mixed(TEXT, HTML, kind="alternative"),
    "mixed in mixed": MIME
    + mixed(TEXT, mixed(TEXT, HTML, boundary="y", kind="alternative"), CALENDAR),
    "preamble and epilogue": MIME + mixed(TEXT, before="before\r\n", after="after\r\n"),
    "epilogue with the boundary": MIME + mixed(TEXT, after="--x\r\n\r\nmore\r\n--x--\r\n"),
    "no closing boundary": MIME + mixed(TEXT, HTML).replace("--x--\r\n", ""),
    "no boundary in the body": MIME
    + "Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing here\r\n",
    "no boundary parameter": MIME
    + "Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nHello\r\n--x--\r\n",
    "empty boundary": MIME
    + 'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nHello\r\n----\r\n',
    "boundary with spaces after": MIME + mixed(TEXT, HTML).replace("--x\r\n", "--x  \t\r\n"),
    "boundary with text after": MIME
    + mixed(TEXT, HTML).replace("--x\r\nContent-Type: text/html", "--xyz\r\nC: d"),
    "boundary is a prefix": MIME + mixed(mixed(TEXT, HTML, boundary="xx"), TEXT),
    "inner boundary is a prefix of the outer": MIME
    + mixed(mixed(TEXT, HTML, boundary="x"), TEXT, boundary="xx"),
    "same boundary inside": MIME + mixed(mixed(TEXT, HTML), TEXT),
    "inner not closed": MIME
    + mixed(mixed(TEXT, HTML, boundary="y").replace("--y--\r\n", ""), TEXT),
    "quoted boundary": MIME + mixed(TEXT, HTML, boundary='"a b?c"').replace('--"a b?c"', "--a b?c"),
    "empty parts": MIME + mixed("", "\r\n", "Content-Type: text/html\r\n\r\n"),
    "part without a header": MIME + mixed("\r\nHello"),
    "part that is only a header": MIME
    + mixed("Content-Type: text/plain", "Content-Type: text/plain\r\n"),
    "no parts": MIME + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n",
    "digest": MIME + mixed("\r\n" + INNER, "Content-Type: text/plain\r\n\r\nHello", kind="digest"),
    "message in message": MIME + mixed(TEXT, "Content-Type: message/rfc822\r\n\r\n" + INNER),
    "message at the top": MIME + "Content-Type: message/rfc822\r\n\r\n" + INNER,
    "message three deep": MIME
    + "Content-Type: message/rfc822\r\n\r\n"
    + MIME
    + "Content-Type: message/rfc822\r\n\r\n"
    + INNER,
    "multipart in message": MIME
    + mixed("Content-Type: message/rfc822\r\n\r\n" + MIME + mixed(TEXT, HTML, boundary="y")),
    "empty message in message": MIME + mixed("Content-Type: message/rfc822\r\n\r\n", TEXT),
    "encoded message in message": MIME
    + mixed(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogaQ0KDQpoaQ0K"
    ),
    "partial message": MIME
    + "Content-Type: message/partial; id=x; number=1; total=2\r\n\r\n"
    + INNER,
    "external body": MIME
    + "Content-Type: message/external-body; access-type=anon-ftp; name=x\r\n\r\nContent-Type: text/plain\r\n\r\n",
    "delivery report": MIME
    + mixed(
        TEXT,
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\n",
        "Content-Type: text/rfc822-headers\r\n\r\nSubject: s\r\n",
        kind="report; report-type=delivery-status",
    ),
    "groups": 'From: A Group:one@x.org,"Two" <two@x.org>;\r\nTo: undisclosed-recipients:;\r\nSubject: s\r\n'
    "\r\nHello\r\n",
    "addresses": 'From: "Quoted \\"Name\\"" <a@x.org>, b@x.org (B Comment), C D <c@x.org>\r\nTo: <only@x.org>\r\n'
    "Sender: s@x.org\r\nReply-To: =?utf-8?q?R=C3=A9?= <r@x.org>\r\nCc: a.b.c@x.org,,d@x.org\r\n"
    "Bcc: e@x.org\r\n\r\nHello\r\n",
    "broken addresses": "From: no address here\r\nTo: <broken\r\nCc: a@b@c, , ;\r\n"
    'Reply-To: "unclosed <x@y.z>\r\n\r\nHello\r\n',
    "routes": "From: <@one.org,@two.org:user@three.org>\r\nTo: <>\r\n\r\nHello\r\n",
    "local part alone": 'From: root\r\nTo: root (Charlie Root)\r\nCc: "q p"@x.org\r\n\r\nHello\r\n',
    "domain literal": "From: a@[127.0.0.1]\r\nTo: a@[IPv6:::1]\r\n\r\nHello\r\n",
    "spaces in addresses": "From: a . b @ c . org\r\nTo: A B < a @ b >\r\n"
    "Cc: (one) a (two) @ (three) b.org (four)\r\n\r\nHello\r\n",
    "eight bit header": HEAD.replace("Subject: s", "Subject: Gr\u00fc\u00dfe") + "\r\nHello\r\n",
    "fields twice": "From: a@x.org\r\nFrom: b@x.org\r\nTo: c@x.org\r\nTo: d@x.org\r\nSubject: one\r\nSubject: two\r\n"
    "Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nDate: Tue, 3 Mar 2026 10:00:00 +0100\r\n\r\nHello\r\n",
    "fields without value": "From:\r\nTo: \r\nSubject:\r\nDate:\r\nMessage-ID:\r\nIn-Reply-To: \r\n\r\nHello\r\n",
    "folded everywhere": "From:\r\n A\r\n <a@x.org>\r\nSubject: one\r\n two\r\n\tthree\r\nMessage-ID:\r\n"
    " <m@x.org>\r\n\r\nHello\r\n",
    "space before the colon": "From : a@x.org\r\nSubject : s\r\nContent-Type : text/html\r\n\r\nHello\r\n",
    "header with a line that is no field": "From: a@x.org\r\nthis is no field\r\nSubject: s\r\n\r\nHello\r\n",
    "mbox line first": "From someone Mon Mar  2 10:00:00 2026\r\nFrom: a@x.org\r\nSubject: s\r\n\r\nHello\r\n",
    "continuation first": " folded: first\r\nFrom: a@x.org\r\nSubject: s\r\n\r\nHello\r\n",
    "white line in the header": "From: a@x.org\r\n \t \r\nSubject: s\r\n\r\nHello\r\n",
    "lone cr in the body": HEAD + "\r\none\rtwo\r\r\nthree\r\n",
    "message id and references": HEAD
    + "Message-ID: <a@x> (comment)\r\nIn-Reply-To: <b@x> <c@x>\r\n\r\nHello\r\n",
    "long line": HEAD + "\r\n" + "x" * 5000 + "\r\n",
    "long header line": HEAD + "X-Long: " + "word " * 2000 + "\r\n\r\nHello\r\n",
    "many parameters": MIME
    + "Content-Type: text/plain"
    + "".join(f"; p{n}=v{n}" for n in range(40))
    + "\r\n\r\nHello\r\n",
    "apple double": MIME
    + mixed(
        "Content-Type: application/applefile; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAUWBw==",
        "Content-Type: image/gif; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODlh",
        kind="appledouble",
    ),
}


def by_hand() -> list[Sample]:
    """All of HAND, in order."""
    return [
        Sample(f"hand-{n:03d}", f"made: {name}", text.encode())
        for n, (name, text) in enumerate(HAND.items())
    ]


def random_trees(count: int, seed: int = 1, is_damaged: bool = False) -> Iterator[Sample]:
    """Random MIME trees, each with some lines lost, doubled, cut or folded if wished; the same for the same seed."""
    dice = random.Random(seed)
    for n in range(count):
        text = _fields(dice) + "MIME-Version: 1.0\r\n" + _part(dice, 0)
        raw = text.encode()
        if is_damaged:
            raw = _damaged(dice, raw)
        yield Sample(f"tree-{seed}-{n:04d}", f"made: random tree {n} of seed {seed}", raw)


WORDS = [
    "time",
    "year",
    "people",
    "way",
    "day",
    "man",
    "thing",
    "world",
    "life",
    "hand",
    "part",
    "child",
    "eye",
    "woman",
    "place",
    "work",
    "week",
    "case",
    "point",
]
TYPES = (
    "text/plain",
    "text/html",
    "image/png",
    "application/octet-stream",
    "application/pdf",
    "text/x-v",
    "audio/x",
)
EXTRA = (
    "Content-ID: <{w}@x.org>",
    "Content-Description: {w} {v}",
    'Content-Disposition: attachment; filename="{w} {v}.bin"',
    "Content-Disposition: inline",
    "Content-Language: en",
    "Content-MD5: {w}",
    "Content-Location: {w}.html",
    "X-Other: {w}",
)


def _words(dice: random.Random, count: int) -> str:
    return " ".join(dice.choices(WORDS, k=count))


def _fields(dice: random.Random) -> str:
    people = [f"{w.title()} <{w}@x.org>" for w in dice.sample(WORDS, 4)]
    fields = [f"From: {people[0]}", f"To: {people[1]}, {people[2]}", f"Subject: {_words(dice, 4)}"]
    if dice.random() < 0.5:
        fields += [f"Cc: {people[3]}", f"Message-ID: <{dice.getrandbits(40):x}@x.org>"]
    if dice.random() < 0.9:
        fields.append(
            f"Date: {dice.randrange(1, 29)} Mar 2026 10:{dice.randrange(60):02d}:00 +0100"
        )
    dice.shuffle(fields)
    return "".join(field + "\r\n" for field in fields)


def _some_extra(dice: random.Random) -> list[str]:
    """At most two fields, of which at most one is a disposition: what two would mean is not said anywhere."""
    return [
        e
        for n, e in enumerate(dice.sample(EXTRA, 2))
        if n < dice.randrange(3) and (n == 0 or "Disp" not in e)
    ]


def _part(dice: random.Random, depth: int) -> str:
    """A part: its MIME fields, an empty line, its body."""
    extra = "".join(
        e.format(w=dice.choice(WORDS), v=dice.choice(WORDS)) + "\r\n" for e in _some_extra(dice)
    )
    draw = dice.random()
    if depth < 4 and draw < 0.4:
        boundary = f"b{depth}{dice.choice('abc')}"
        kind = dice.choice(("mixed", "alternative", "related", "parallel"))
        parts = [_part(dice, depth + 1) for _ in range(dice.randrange(1, 4))]
        return extra + mixed(
            *parts, boundary=boundary, kind=kind, before=dice.choice(("", "preamble\r\n"))
        )
    if depth < 4 and draw < 0.55:
        return (
            extra
            + "Content-Type: message/rfc822\r\n\r\n"
            + _fields(dice)
            + "MIME-Version: 1.0\r\n"
            + _part(dice, depth + 1)
        )
    kind = dice.choice(TYPES)
    fields = (
        f"Content-Type: {kind}"
        + dice.choice(("", "; charset=utf-8", "; name=x.bin", '; a=b; c="d e"'))
        + "\r\n"
    )
    if dice.random() < 0.3:
        fields += f"Content-Transfer-Encoding: {dice.choice(('7bit', 'BASE64', 'quoted-printable', '8bit'))}\r\n"
    lines = [_words(dice, dice.randrange(8)) for _ in range(dice.randrange(6))]
    return dice.choice((extra + fields, fields + extra, extra)) + "\r\n" + "\r\n".join(lines)


def _damaged(dice: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(lines))
        act = dice.randrange(4)
        if act == 0:
            del lines[at]
        elif act == 1:
            lines.insert(at, lines[dice.randrange(len(lines))])
        elif act == 2:
            lines[at] = lines[at][: dice.randrange(len(lines[at]) + 1)]
        else:
            lines[at] = b" " + lines[at]
        lines = lines or [b""]
    return b"\r\n".join(lines) or b"\r\n"
