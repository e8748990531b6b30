"""What a status code means, and what a sender can do about it, in words for people who run no mail servers.

Spec: RFC 3463 §3; RFC 7372 §3; RFC 7505 §4; RFC 8689 §5.  Status: complete for what other servers and we ourselves say.
"""

from typing import NamedTuple


class Meaning(NamedTuple):
    """what: completes "Reason: ...".  advice: complete sentences; "" where there is nothing to do but to wait."""

    what: str
    advice: str


_ASK = "Ask the recipient in another way, for example by telephone."
_CHECK = "Check the address for typing mistakes, and send the message again to the right one."
_ADMINISTRATOR = "Show this notice to the administrator of your mail system."

#: subject and detail of the code, or the subject alone (RFC 3463 §2); the first that fits wins
MEANINGS: dict[str, Meaning] = {
    "1.0": Meaning("the other server objects to the address.", _CHECK),
    "1.1": Meaning("there is no such address.", _CHECK),
    "1.2": Meaning("there is no such mail domain (the part behind the @).", _CHECK),
    "1.3": Meaning("the address is not written as addresses are.", _CHECK),
    "1.4": Meaning("the address could mean more than one recipient.", _CHECK),
    "1.6": Meaning("the recipient has moved and left no new address.", _ASK),
    "1.7": Meaning(
        "the other server objects to the sender's address.",
        "Check which sender address your mail program uses.",
    ),
    "1.8": Meaning(
        "the other server does not believe that the sender's address exists.",
        _ADMINISTRATOR,
    ),
    "1.10": Meaning("the domain (the part behind the @) takes no mail at all.", _CHECK),
    "1": Meaning("the other server objects to an address.", _CHECK),
    "2.0": Meaning("the recipient's mailbox does not take the message.", _ASK),
    "2.1": Meaning("the recipient's mailbox is switched off.", _ASK),
    "2.2": Meaning(
        "the recipient's mailbox is full.",
        f"Try again in a few days. {_ASK}",
    ),
    "2.3": Meaning(
        "the message is larger than the recipient's mailbox takes.",
        "Send it with smaller attachments, or share the files in another way.",
    ),
    "2.4": Meaning("the mailing list at this address could not be expanded.", _ASK),
    "2": Meaning("there is trouble with the recipient's mailbox.", _ASK),
    "3.1": Meaning(
        "the other server has no room left.",
        f"Try again later. {_ASK}",
    ),
    "3.4": Meaning(
        "the message is larger than the other server takes.",
        "Send it with smaller attachments, or share the files in another way.",
    ),
    "3": Meaning("the other server has a problem of its own.", f"Try again later. {_ASK}"),
    "4.1": Meaning("the other server does not answer.", f"Try again later. {_ASK}"),
    "4.2": Meaning(
        "the connection to the other server broke off.",
        f"Try again later. {_ASK}",
    ),
    "4.3": Meaning(
        "the names of the other servers could not be looked up.",
        f"{_CHECK} If it is right, try again later.",
    ),
    "4.4": Meaning("no server can be found that takes mail for the domain.", _CHECK),
    "4.5": Meaning("the other mail system is overloaded.", "Try again later."),
    "4.6": Meaning(
        "the message went round in circles between servers.",
        f"Nothing is wrong with your message. {_ASK}",
    ),
    "4.7": Meaning("the message could not be delivered in time.", f"Try again later. {_ASK}"),
    "4": Meaning("the other server could not be reached.", f"Try again later. {_ASK}"),
    "5": Meaning("the two mail servers did not understand each other.", _ADMINISTRATOR),
    "6.3": Meaning(
        "the other server is too old for the form the message is in, and it must not be changed, for example because"
        " it is signed.",
        "Send it again without a signature, or with plain letters only.",
    ),
    "6.7": Meaning(
        "the message or an address has letters that the other server cannot handle.",
        "Use an address that consists of plain letters, if the recipient has one.",
    ),
    "6": Meaning(
        "the other server objects to the form or the content of the message.",
        "Send it again as plain text, or with other attachments.",
    ),
    "7.1": Meaning("the other server refuses the message by its rules.", _ASK),
    "7.8": Meaning("the log-in at the next server failed.", _ADMINISTRATOR),
    "7.10": Meaning(
        "no protected connection to the other server could be made.",
        _ADMINISTRATOR,
    ),
    "7.13": Meaning("the account is switched off.", _ASK),
    "7.25": Meaning("the other server misses a name for the address of ours.", _ADMINISTRATOR),
    "7.26": Meaning("the other server doubts that the message is yours.", _ADMINISTRATOR),
    "7.27": Meaning("the domain of the sender's address takes no mail.", _ADMINISTRATOR),
    "7.30": Meaning(
        "you asked for protection on the whole way (REQUIRETLS), and the other server offers none.",
        "Send it again without asking for that, if the content allows it.",
    ),
    "7": Meaning(
        "the other server refuses the message for reasons of safety, or takes it for spam.",
        f"{_ASK} If it happens more often, {_ADMINISTRATOR[0].lower()}{_ADMINISTRATOR[1:]}",
    ),
}

_UNKNOWN = Meaning("the other server does not say it in a form that could be explained.", _ASK)


def meaning(status: str) -> Meaning:
    """Of a status code such as "5.1.1"; its class, the first number, does not matter."""
    _, _, rest = status.partition(".")
    subject = rest.partition(".")[0]
    return MEANINGS.get(rest) or MEANINGS.get(subject) or _UNKNOWN
