"""The arguments of MAIL and RCPT as a whole: address and parameters, or the refusal they deserve.

Spec: RFC 5321 §4.1.1.2, §4.1.1.3; RFC 1870 §6; RFC 6531 §3.4, §3.5.  Status: complete.
Client: blanks between the colon and the address are common and taken.
"""

from mailserver.base.errors import PeerError
from mailserver.smtp import events, parameters, replies
from mailserver.smtp.address import parse_path
from mailserver.smtp.parameters import Offer
from mailserver.smtp.reply import Reply


def mail(argument: str, offer: Offer, message_size: int, now: int) -> events.Mail | Reply:
    """What follows "MAIL "; message_size: octets that this server takes; now: UTC epoch seconds."""
    if argument[:5].upper() != "FROM:":
        return replies.BAD_MAIL
    try:
        path, rest = parse_path(argument[5:].lstrip(" "))
    except PeerError as e:
        return replies.bad_address(str(e), is_sender=True)
    if not rest and path.is_ascii:
        return events.Mail(path.address, None, None, False)
    said = parameters.mail(rest, offer, now)
    if isinstance(said, Reply):
        return said
    if not path.is_ascii and not said.smtputf8:
        return replies.SENDER_WANTS_SMTPUTF8
    if said.size is not None and said.size > message_size:
        return replies.TOO_LARGE
    return events.Mail(
        path.address,
        said.size,
        said.body,
        said.smtputf8,
        said.ret,
        said.envid,
        said.require_tls,
        said.hold_until,
    )


def recipient(argument: str, *, smtputf8: bool) -> events.Recipient | Reply:
    """What follows "RCPT "; smtputf8: the sender has asked for it."""
    if argument[:3].upper() != "TO:":
        return replies.BAD_RCPT
    try:
        path, rest = parse_path(argument[3:].lstrip(" "), postmaster=True)
    except PeerError as e:
        return replies.bad_address(str(e), is_sender=False)
    if path.address is None:
        return replies.NULL_RECIPIENT
    if not path.is_ascii and not smtputf8:
        return replies.RECIPIENT_WANTS_SMTPUTF8
    if not rest:
        return events.Recipient(path.address)
    said = parameters.recipient(rest, smtputf8=smtputf8)
    if isinstance(said, Reply):
        return said
    return events.Recipient(path.address, said.notify, said.original)
