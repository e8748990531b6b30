"""The arguments of MAIL and RCPT as a whole: address and parameters, or the refusal they deserve.

Spec: RFC 5321 §4.1.1.2, §4.1.1.3; RFC 1870 §6; RFC 6531 §3.4, §3.5.  Status: complete.
Client: blanks between the colon and the address are common and taken.
"""

from mailserver.base.errors import PeerError
from mailserver.smtp import events, parameters, replies
from mailserver.smtp.address import Address, parse_path
from mailserver.smtp.reply import Reply


def mail(argument: str, *, is_submission: bool, message_size: int) -> events.Mail | Reply:
    """What follows "MAIL "; message_size: octets that this server takes."""
    if argument[:5].upper() != "FROM:":
        return replies.BAD_MAIL
    try:
        path, rest = parse_path(argument[5:].lstrip(" "))
    except PeerError as e:
        return replies.bad_address(str(e), is_sender=True)
    said = parameters.mail(rest, is_submission=is_submission)
    if isinstance(said, Reply):
        return said
    if not path.is_ascii and not said.smtputf8:
        return replies.SENDER_WANTS_SMTPUTF8
    if said.size is not None and said.size > message_size:
        return replies.TOO_LARGE
    return events.Mail(path.address, said.size, said.body, said.smtputf8)


def recipient(argument: str, *, smtputf8: bool) -> Address | Reply:
    """What follows "RCPT "; smtputf8: the sender has asked for it."""
    if argument[:3].upper() != "TO:":
        return replies.BAD_RCPT
    try:
        path, rest = parse_path(argument[3:].lstrip(" "), postmaster=True)
    except PeerError as e:
        return replies.bad_address(str(e), is_sender=False)
    if path.address is None:
        return replies.NULL_RECIPIENT
    refusal = parameters.recipient(rest)
    if refusal is not None:
        return refusal
    if not path.is_ascii and not smtputf8:
        return replies.RECIPIENT_WANTS_SMTPUTF8
    return path.address
