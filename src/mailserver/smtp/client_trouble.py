"""Our own words for what a connection can die of, in the form of replies: all temporary.

Spec: RFC 3463 §3.4 (4.3.5), §3.5 (4.4.x, 4.5.x), §3.8 (4.7.5).  Status: complete.
"""

from mailserver.smtp.outgoing import Answer, HopError, Stage, TlsFailed
from mailserver.smtp.reply import Reply


def unreached(why: str) -> HopError:
    """There is no connection."""
    return _error(Stage.CONNECT, 421, "4.4.1", f"No connection: {why}")


def sourceless(why: str) -> HopError:
    """The address that mail is to leave from cannot be used: our fault, and no other host would do better."""
    return _error(Stage.CONNECT, 451, "4.3.5", f"Mail cannot leave from its source address {why}")


def lost(stage: Stage) -> HopError:
    """The connection ended while *stage* was waited for."""
    return _error(stage, 421, "4.4.2", f"Connection lost {_WAITING[stage]}")


def silent(stage: Stage, seconds: float) -> HopError:
    """Nothing came in time."""
    status = "4.4.1" if stage is Stage.CONNECT else "4.4.2"
    return _error(stage, 421, status, f"No answer within {seconds:g} s {_WAITING[stage]}")


def garbled(stage: Stage, what: str) -> HopError:
    """What came is no SMTP."""
    return _error(stage, 451, "4.5.0", what)


def untrusted(why: str, kind: str = "validation-failure") -> TlsFailed:
    """The handshake failed; kind: the result type of RFC 8460 §4.3."""
    answer = Answer(Reply(454, "4.7.5", f"TLS failed: {why}"), Stage.STARTTLS, is_ours=True)
    return TlsFailed(answer, kind)


def _error(stage: Stage, code: int, status: str, text: str) -> HopError:
    return HopError(Answer(Reply(code, status, text), stage, is_ours=True))


_WAITING = {
    Stage.CONNECT: "while connecting",
    Stage.GREETING: "while waiting for the greeting",
    Stage.EHLO: "while waiting for the reply to EHLO",
    Stage.STARTTLS: "while beginning TLS",
    Stage.AUTH: "while logging in",
    Stage.RSET: "while waiting for the reply to RSET",
    Stage.MAIL: "while waiting for the reply to MAIL",
    Stage.RCPT: "while waiting for the reply to RCPT",
    Stage.DATA: "while sending the message",
    Stage.END: "after the end of the message, before its reply: it may have been taken",
}
