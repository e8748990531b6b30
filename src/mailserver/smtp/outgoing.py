"""A message as it goes to a next hop, and what the next hop said to it.

Spec: RFC 5321 §3.3; RFC 3461 §4 (what goes with the envelope).  Status: complete.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mailserver.smtp.reply import Reply


class Stage(StrEnum):
    """How far a connection had come: the step whose reply is meant, or was waited for."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"  # HELO and LHLO too
    STARTTLS = "starttls"  # the handshake too
    AUTH = "auth"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the command, and the content up to its end
    END = "end"  # the content has left completely: only here a lost reply may mean a second delivery (RFC 5321 §6.1)


class Tls(StrEnum):
    """What a connection must be before mail may use it."""

    NEVER = "never"  # in clear, as after a handshake that failed and did not have to succeed
    MAY = "may"  # with TLS where it is offered, whoever is at the other end
    ENCRYPT = "encrypt"  # with TLS, whoever is at the other end
    VERIFY = "verify"  # with TLS and a certificate that proves the name
    DANE = "dane"  # with TLS and a certificate that TLSA records vouch for (RFC 7672)


class Rcpt(NamedTuple):
    """One recipient of a transaction.

    notify:   "", "NEVER" or words of "SUCCESS,FAILURE,DELAY" (RFC 3461 §4.1).
    original: "" or type and address with the encoding removed: "rfc822;bob@example.org" (RFC 3461 §4.2).
    """

    address: str
    notify: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The envelope of a message and what a next hop has to be able to do for it.

    sender:    "" is the null reverse-path.
    size:      octets of the content.
    is_8bit:   the content has octets above 127: it needs 8BITMIME (RFC 6152).
    is_utf8:   it needs SMTPUTF8 (RFC 6531), for its addresses or its header.
    needs_tls: it was tagged with REQUIRETLS (RFC 8689).
    ret:       "", "FULL" or "HDRS"; envid: "" or the identifier, its encoding removed (RFC 3461 §4.3, §4.4).
    """

    sender: str
    recipients: tuple[Rcpt, ...]
    size: int
    is_8bit: bool = False
    is_utf8: bool = False
    needs_tls: bool = False
    ret: str = ""
    envid: str = ""


class Answer(NamedTuple):
    """What became of one recipient, or of a connection.

    is_ours: no reply of the peer but our own words for what happened: no connection, no answer, nonsense.
    """

    reply: Reply
    stage: Stage
    is_ours: bool = False


class HopError(Exception):
    """The connection is of no use any more; *answer* says since when and why.

    our_address: the one we had on it, "" if it did not come to that.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.stage}: {answer.reply}")
        self.answer = answer
        self.our_address = ""


class TlsFailed(HopError):
    """The handshake failed, or what it proved was not enough: where TLS is not a must, try again without it.

    kind: the result type of RFC 8460 §4.3.
    """

    def __init__(self, answer: Answer, kind: str) -> None:
        super().__init__(answer)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials for a smarthost.  Never log it.

    in_clear: they may be shown on a connection without TLS, as on loopback.
    """

    name: str
    password: str = field(repr=False)
    in_clear: bool = False
