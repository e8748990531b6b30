"""The client engine against servers that say anything: each recipient gets one answer, none better than the truth."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.smtp.client import Client
from mailserver.smtp.client_replies import Heard
from mailserver.smtp.client_steps import Ask, Fetch, Give, Handshake, Steps
from mailserver.smtp.client_trouble import garbled, lost, silent, untrusted
from mailserver.smtp.outgoing import Answer, HopError, Login, Outgoing, Rcpt, Stage, Tls

CONTENT = b"Subject: x\r\n\r\n.dot\r\n"
LARGE = b"x" * 1_100_000 + b"\r\n"

KEYWORDS = [
    "PIPELINING",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "STARTTLS",
    "CHUNKING",
    "REQUIRETLS",
    "AUTH PLAIN",
    "AUTH LOGIN",
    "SIZE 500",
    "SIZE",
    "LIMITS MAILMAX=2",
]
GOOD = {
    Stage.GREETING: 220,
    Stage.EHLO: 250,
    Stage.STARTTLS: 220,
    Stage.AUTH: 235,
    Stage.RSET: 250,
    Stage.MAIL: 250,
    Stage.RCPT: 250,
    Stage.DATA: 354,
    Stage.END: 250,
}
#: what happens instead of the good reply; mostly nothing
MISHAPS = st.one_of(
    st.none(),
    st.none(),
    st.none(),
    st.none(),
    st.sampled_from([200, 220, 250, 251, 299, 334, 354, 421, 450, 452, 500, 502, 550, 554, 599]),
    st.sampled_from(["lost", "silent", "garbage"]),
)
OUTGOING = st.builds(
    Outgoing,
    st.sampled_from(["", "a@b.example", "ä@b.example"]),
    st.lists(
        st.builds(Rcpt, st.sampled_from(["c@d.example", "e@d.example", "ö@d.example", "bad\r\n"])),
        min_size=1,
        max_size=4,
    ).map(tuple),
    st.sampled_from([len(CONTENT), len(LARGE)]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class Peer:
    """Runs the engine's steps against a server that does what *mishaps* say.

    said: octets since the last MAIL; heard: replies to the final dots and last chunks.
    """

    def __init__(self, capabilities: list[str], mishaps: Iterator[object]) -> None:
        self._hello = ("mx.example", *capabilities)
        self._mishaps = mishaps
        self.said = b""
        self.ends: list[int] = []

    def run(self, steps: Steps[object], content: bytes = b"") -> object:
        came: Heard | bytes | None = None
        left = [content]
        try:
            while True:
                effect = steps.send(came)
                came = None
                if isinstance(effect, Fetch):
                    came = left.pop() if left else b""
                elif isinstance(effect, Give):
                    self.said += effect.data
                else:
                    try:
                        came = self._meet(effect)
                    except HopError as error:
                        steps.throw(error)
                        raise AssertionError("steps after the end") from error
        except StopIteration as done:
            return done.value

    def _meet(self, effect: Ask | Handshake) -> Heard | None:
        mishap = next(self._mishaps)
        if isinstance(effect, Handshake):
            if mishap == "lost":
                raise untrusted("test")
            return None
        self.said += effect.data
        if mishap == "lost":
            raise lost(effect.stage)
        if mishap == "silent":
            raise silent(effect.stage, 1)
        if mishap == "garbage":
            raise garbled(effect.stage, str(PeerError("test")))
        code = mishap if isinstance(mishap, int) else GOOD[effect.stage]
        if effect.stage is Stage.END:
            self.ends.append(code)
        lines = self._hello if effect.stage is Stage.EHLO else ("text",)
        return Heard(code, tuple(line.encode() for line in lines))


@pytest.mark.rfc(5321, "4.2.1")
@given(
    st.lists(st.sampled_from(KEYWORDS), max_size=6),
    st.lists(MISHAPS, max_size=40),
    st.lists(OUTGOING, min_size=1, max_size=3),
    st.sampled_from(list(Tls)),
    st.booleans(),
    st.sampled_from([None, Login("a", "b", in_clear=True)]),
)
def test_any_server(
    capabilities: list[str],
    mishaps: list[object],
    messages: list[Outgoing],
    tls: Tls,
    is_lmtp: bool,
    login: Login | None,
) -> None:
    def all_mishaps() -> Iterator[object]:
        yield from mishaps
        while True:
            yield None

    peer = Peer(capabilities, all_mishaps())
    client = Client("client.example", limit=1_000, is_lmtp=is_lmtp)
    try:
        peer.run(client.open(tls, login))
    except HopError:
        return
    if tls in (Tls.ENCRYPT, Tls.VERIFY):
        assert client.is_tls
    for outgoing in messages:
        if not client.is_reusable:
            break
        peer.said, peer.ends = b"", []
        content = CONTENT if outgoing.size == len(CONTENT) else LARGE
        answers = peer.run(client.send(outgoing), content)
        assert isinstance(answers, tuple)
        check(outgoing, answers, peer, content)


def check(outgoing: Outgoing, answers: tuple[Answer, ...], peer: Peer, content: bytes) -> None:
    assert len(answers) == len(outgoing.recipients)
    taken = [a for a in answers if a.stage is Stage.END and a.reply.is_positive]
    assert all(a.reply.code >= 400 for a in answers if a not in taken)
    assert peer.said.count(b"\nRCPT TO:<bad") == 0
    if taken:
        assert any(200 <= code < 300 for code in peer.ends)
        assert peer.said.endswith((content.replace(b"\r\n.", b"\r\n..") + b".\r\n", content))
    if any(200 <= code < 300 for code in peer.ends):
        accepted = [a for a in answers if a.stage is Stage.END]
        assert taken or all(a.is_ours for a in accepted)
    if outgoing.needs_tls and taken:
        assert b" REQUIRETLS" in peer.said
