"""Asking a server about a recipient without sending anything: a transaction that ends before its content.

Spec: RFC 5321 §3.3, §4.1.1.5, §4.5.5 (the null sender); RFC 2920 §3.1.  Status: complete.

VRFY would be the command for it, and is answered by hardly anybody (RFC 5321 §7.3).
"""

from mailserver.smtp import client_envelope as envelope
from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.client_steps import Steps, ask, nonsense
from mailserver.smtp.outgoing import Answer, Outgoing, Rcpt, Stage


def probe(capabilities: Capabilities, address: str, *, reset: bool) -> Steps[Answer]:
    """What the server says of *address* as the recipient of a notice: its reply to RCPT, or to the MAIL before it.

    The transaction is left open, to be cleared by RSET or QUIT.  Raises HopError.
    """
    outgoing = Outgoing("", (Rcpt(address),), 0)
    refusal = envelope.unfit(capabilities, outgoing, is_tls=False)
    if refusal is not None:
        return Answer(refusal, Stage.MAIL, is_ours=True)
    try:
        commands = [
            envelope.mail(capabilities, outgoing),
            envelope.rcpt(capabilities, outgoing.recipients[0], is_utf8=not address.isascii()),
        ]
    except ValueError:
        return Answer(envelope.BAD_ADDRESS, Stage.MAIL, is_ours=True)
    stages = [Stage.MAIL, Stage.RCPT]
    if reset:
        commands.insert(0, b"RSET\r\n")
        stages.insert(0, Stage.RSET)
    is_grouped = "PIPELINING" in capabilities
    if is_grouped:
        commands = [b"".join(commands), *[b""] * (len(commands) - 1)]
    said: list[Answer] = []
    for command, stage in zip(commands, stages, strict=True):
        heard = yield from ask(command, stage)
        if 300 <= heard.code < 400 or (stage is Stage.RSET and not heard.is_positive):
            raise nonsense(heard, stage)
        said.append(Answer(heard.reply, stage))
        if not heard.is_positive and not is_grouped:
            break
    return next((answer for answer in said if not answer.reply.is_positive), said[-1])
