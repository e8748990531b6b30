"""The client engine around no network: it sends what a transcript's `#>` lines ask for, and says what came of it.

#> may login=alice:secret                    how to open: never, may, encrypt, verify; lmtp; login
#> send from=a@b.example to=c@d.example,e@d.example size=500 8bit utf8 tls ret=HDRS envid=x notify=NEVER orcpt=..
#= c@d.example end 250 2.0.0 Taken           the answer it must report; "ours" after the stage if we made it up
#= reusable                                  what it says of the connection after all
"""

import shlex

from mailserver.base.errors import PeerError
from mailserver.smtp.client import Client
from mailserver.smtp.client_replies import Heard
from mailserver.smtp.client_steps import Ask, Give, Handshake, Steps
from mailserver.smtp.client_trouble import garbled, lost
from mailserver.smtp.outgoing import Answer, HopError, Login, Outgoing, Rcpt, Stage, Tls

CONTENT = b"Subject: dots\r\n\r\n.\r\n..two\r\nlast\r\n"


class Sender:
    """A feed for transcripts in which client and server have changed places."""

    def __init__(self, orders: list[str], content: bytes = CONTENT, limit: int = 2_000) -> None:
        words = shlex.split(orders[0])
        login = next((w.removeprefix("login=").split(":") for w in words if "login=" in w), None)
        self.client = Client("client.example", limit=limit, is_lmtp="lmtp" in words)
        self.content = content
        self.closed = False
        self.said = b""
        self.results: list[str] = []
        self._todo = [shlex.split(order) for order in orders[1:]]
        self._sending: Outgoing | None = None
        self._fetched = False
        self._steps: Steps[object] = self.client.open(
            Tls(words[0]), Login(*login, in_clear="clear" in words) if login else None
        )
        self._go(None)

    def __call__(self, data: bytes) -> bytes:
        self.client.replies.receive(data)
        self._hear()
        said, self.said = self.said, b""
        return said

    def close(self) -> None:
        """The server ends the connection."""
        if not self.closed:
            self._throw(lost(self._stage))

    def start_tls(self) -> None:
        assert self._stage is Stage.STARTTLS
        self._go(None)

    def _hear(self) -> None:
        while not self.closed:
            try:
                heard = self.client.replies.next()
            except PeerError as error:
                self._throw(garbled(self._stage, str(error)))
                return
            if heard is None:
                return
            self._go(heard)

    def _go(self, came: Heard | bytes | None) -> None:
        try:
            while True:
                effect = self._steps.send(came)
                came = None
                if isinstance(effect, Ask):
                    self.said += effect.data
                    self._stage = effect.stage
                    return
                if isinstance(effect, Handshake):
                    return
                if isinstance(effect, Give):
                    self.said += effect.data
                else:
                    came, self._fetched = (b"" if self._fetched else self.content), True
        except StopIteration as done:
            self._report(done.value)
            self._next()
        except HopError as error:
            self._fail(error)

    def _throw(self, error: HopError) -> None:
        try:
            self._steps.throw(error)
        except StopIteration as done:
            self._report(done.value)
            self.results.append("over")
        except HopError as raised:
            self._fail(raised)
        self.closed = True

    def _fail(self, error: HopError) -> None:
        answer = error.answer
        ours = " ours" if answer.is_ours else ""
        self.results.append(f"{answer.stage}{ours} {answer.reply}")
        self.closed = True

    def _report(self, answers: object) -> None:
        if self._sending is None or not isinstance(answers, tuple):
            return
        if isinstance(answers, Answer):
            answers = (answers,)
        for recipient, answer in zip(self._sending.recipients, answers, strict=True):
            ours = " ours" if answer.is_ours else ""
            self.results.append(f"{recipient.address} {answer.stage}{ours} {answer.reply}".rstrip())

    def _next(self) -> None:
        if self._todo and not (self._sending and not self.client.is_reusable):
            words = self._todo.pop(0)
            self._sending = envelope(words, len(self.content))
            self._fetched = False
            self._steps = (
                self.client.probe(self._sending.recipients[0].address)
                if words[0] == "probe"
                else self.client.send(self._sending)
            )
            self._go(None)
        else:
            self.results.append("reusable" if self.client.is_reusable else "over")
            self.closed = True


def envelope(words: list[str], size: int) -> Outgoing:
    """What a `#> send` line describes."""
    said = dict(w.split("=", 1) for w in words if "=" in w)
    return Outgoing(
        said.get("from", ""),
        tuple(
            Rcpt(address, said.get("notify", ""), said.get("orcpt", ""))
            for address in said["to"].split(",")
        ),
        int(said.get("size", size)),
        is_8bit="8bit" in words,
        is_utf8="utf8" in words,
        needs_tls="tls" in words,
        ret=said.get("ret", ""),
        envid=said.get("envid", ""),
    )
