"""The replies that the engine gives by itself.

Spec: RFC 5321 §4.2.2, §4.2.3; RFC 2034 §4; RFC 3463 §3; RFC 4954 §6; RFC 6531 §3.5.  Status: complete.
"""

from mailserver.smtp.reply import Reply

OK = Reply(250, "2.0.0", "OK")
RESET = Reply(250, "2.0.0", "Forgotten")
CANNOT_VRFY = Reply(252, "2.0.0", "Cannot verify, but will take the message and try to deliver it")
GO_AHEAD = Reply(354, "", "Go ahead, end with <CRLF>.<CRLF>")
START_TLS = Reply(220, "2.0.0", "Ready to start TLS")
LOGGED_IN = Reply(235, "2.7.0", "Logged in")

UNKNOWN_COMMAND = Reply(500, "5.5.1", "No such command")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
RESPONSE_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line is too long")
BARE_LINE_END = Reply(500, "5.5.2", "A line ends with CRLF, and has no CR or LF inside")
BAD_OCTETS = Reply(500, "5.5.2", "Control characters and broken UTF-8 have no place in a command")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Not implemented here")
NO_ARGUMENT_ALLOWED = Reply(501, "5.5.4", "This command takes no argument")
BAD_HELLO = Reply(501, "5.5.4", "Say who you are: a domain name or an address literal")
BAD_MAIL = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
BAD_RCPT = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
BAD_PARAMETER = Reply(501, "5.5.4", "Parameter is malformed or given twice")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter is not known here")
NO_HELP = Reply(504, "5.5.4", "No help on that")
NULL_RECIPIENT = Reply(501, "5.1.3", "<> is for senders only")
EHLO_FIRST = Reply(503, "5.5.1", "Say EHLO first")
LHLO_FIRST = Reply(503, "5.5.1", "Say LHLO first")
SAY_LHLO = Reply(500, "5.5.1", "This is LMTP: say LHLO")
NO_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
SENDER_WANTS_SMTPUTF8 = Reply(
    550, "5.6.7", "A sender address beyond ASCII needs the parameter SMTPUTF8"
)
RECIPIENT_WANTS_SMTPUTF8 = Reply(
    553, "5.6.7", "A recipient address beyond ASCII needs SMTPUTF8 in the MAIL command"
)
VRFY_WANTS_SMTPUTF8 = Reply(553, "5.6.7", "An address beyond ASCII needs the parameter SMTPUTF8")
REQUIRETLS_WANTS_TLS = Reply(530, "5.7.10", "REQUIRETLS needs TLS here as well: STARTTLS first")
TOO_LONG_TO_HOLD = Reply(554, "5.5.4", "That is longer than this server holds mail back")
RELEASE_IN_THE_PAST = Reply(554, "5.5.4", "The time of release has passed")
TOO_MANY_RECIPIENTS = Reply(
    452, "4.5.3", "Too many recipients, send to the others in another transaction"
)

BAD_CHUNK = Reply(
    501, "5.5.4", "Syntax: BDAT octets [LAST]; nobody knows where the next command begins, goodbye"
)
BINARY_WANTS_CHUNKS = Reply(503, "5.5.1", "Content declared as BINARYMIME comes with BDAT")
NO_LMTP_RECIPIENTS = Reply(503, "5.5.1", "No valid recipients")
TOO_LARGE = Reply(552, "5.3.4", "Message is larger than this server takes")
BARE_CONTENT = Reply(
    550, "5.6.11", "Message refused: a CR or LF stands alone, lines must end with CRLF"
)

NO_AUTH_HERE = Reply(502, "5.5.1", "No AUTH on this port: submit mail on port 587 or 465")
AUTH_FIRST = Reply(530, "5.7.0", "Log in first: AUTH")
TLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
TLS_FOR_AUTH = Reply(
    538, "5.7.11", "Encryption required for authentication: STARTTLS first, or port 465"
)
LOGGED_IN_ALREADY = Reply(503, "5.5.1", "Logged in already")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Mechanism is not offered")
BAD_RESPONSE = Reply(501, "5.5.2", "Response is not valid in this mechanism")
CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NO_STARTTLS = Reply(502, "5.5.1", "STARTTLS is not offered")
TLS_ALREADY = Reply(503, "5.5.1", "TLS is active already")

TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, goodbye")
TOO_MANY_COMMANDS = Reply(421, "4.7.0", "Too many commands without a message, goodbye")
TOO_MANY_REFUSALS = Reply(421, "4.7.0", "Too many recipients that do not exist, goodbye")
TOO_MANY_LOGINS = Reply(421, "4.7.0", "Too many failed log-ins, goodbye")
TOO_MANY_MESSAGES = Reply(421, "4.7.0", "Enough messages on one connection, come again on another")
NO_HTTP = Reply(421, "4.7.0", "This is SMTP, not HTTP")


def out_of_order(text: str) -> Reply:
    """A command that is known and does not fit here (RFC 5321 §4.1.4)."""
    return Reply(503, "5.5.1", text)


def chunk(size: int) -> Reply:
    """A chunk that is fine, with more to come (RFC 3030 §2)."""
    return Reply(250, "2.0.0", f"{size} octets")


def bad_address(text: str, *, is_sender: bool) -> Reply:
    """An address that is none; *text* says why (RFC 3463 §3.2)."""
    return Reply(501, "5.1.7" if is_sender else "5.1.3", f"{text[:1].upper()}{text[1:]}")
