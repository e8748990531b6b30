"""The sender of mail that is passed on: rewritten so that it is ours, and back again for the bounce.

Spec: SRS, the Sender Rewriting Scheme (S. Wong, 2003; no RFC); RFC 7208 §3 (why).  Status: complete.

    a@b.example                       -> SRS0=HHHHHH=TT=b.example=a@ours.example
    SRS0=x=y=b.example=a@c.example    -> SRS1=HHHHHH=c.example==x=y=b.example=a@ours.example
    SRS1=x=c.example==rest@d.example  -> SRS1=HHHHHH=c.example==rest@ours.example
    one-that-is-rather-long@b.example -> SRS0=HHHHHH=TT=TOKEN=@ours.example

HHHHHH is a keyed hash, so that nobody can have us send mail to an address of his choice; TT is the day, so that an
address that was harvested is worth nothing after a while.  An SRS1 address goes back to the first forwarder, who made
the SRS0 and alone can check it.  Local parts beyond 64 octets are refused by some servers (RFC 5321 §4.5.3.1.1), and
newsletters have long senders: where the address would be longer, a token stands for the sender, which the store keeps.
Hash and day are compared without case: some servers fold what they are given.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from mailserver.base.errors import Cannot, PeerError
from mailserver.smtp.address import Address, parse_domain

MAX_AGE = 21  #: days that a bounce may take; senders give up after five, and their bounces may wait as long
KEY_SIZE = 32  #: octets of a good key

MAX_LOCALPART = 64  #: octets (RFC 5321 §4.5.3.1.1)

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DAYS = len(_DIGITS) ** 2
_HASH = 6  # characters, 30 bits: to try them all takes a thousand million recipients
_TOKEN = 16  # characters, 80 bits: two senders never share one
_SRS = re.compile(r"srs[01][-+=]", re.IGNORECASE)
_SRS0 = re.compile(r"srs0[-+=]([^=]+)=([A-Z2-7]{2})=([^=]+)=(.*)", re.IGNORECASE | re.DOTALL)
_SRS1 = re.compile(r"srs1[-+=]([^=]+)=([^=]+)=([-+=].*)", re.IGNORECASE | re.DOTALL)


def is_srs(localpart: str) -> bool:
    """Whether it looks like a rewritten sender, of us or of others."""
    return _SRS.match(localpart) is not None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A sender's address in a domain of ours.  token: what the store must keep the sender under; "": nothing."""

    address: Address
    token: str = ""


def rewrite(sender: Address, domain: str, key: bytes, now: int) -> Rewritten:
    """*sender* as an address in *domain*, which is ours; now: UTC epoch seconds."""
    found = _whole(sender, domain, key, now)
    if len(found.localpart.encode()) <= MAX_LOCALPART:
        return Rewritten(found)
    token, day = _hash(key, "t", str(sender), _TOKEN), _day(now)
    return Rewritten(
        Address(f"SRS0={_hash(key, '0', f'{day}={token}=')}={day}={token}=", domain), token
    )


def _whole(sender: Address, domain: str, key: bytes, now: int) -> Address:
    local = sender.localpart
    if once := _SRS1.fullmatch(local):
        first, rest = once[2].lower(), once[3]
    elif _SRS0.fullmatch(local):
        first, rest = sender.domain, local[4:]
    else:
        day = _day(now)
        text = f"{sender.domain}={local}"
        return Address(f"SRS0={_hash(key, '0', f'{day}={text}')}={day}={text}", domain)
    return Address(f"SRS1={_hash(key, '1', f'{first}={rest}')}={first}={rest}", domain)


def restore(localpart: str, key: bytes, now: int) -> Address | str:
    """The address that *localpart* was made from, or the token that stands for it.

    Raises Cannot, with the reason, if it was not made here, or long ago.
    """
    if found := _SRS0.fullmatch(localpart):
        digest, day, domain, local = found[1], found[2].upper(), found[3].lower(), found[4]
        _check(digest, _hash(key, "0", f"{day}={domain}={local}"))
        if (_number(_day(now)) - _number(day)) % _DAYS > MAX_AGE:
            raise Cannot(f"it is more than {MAX_AGE} days old")
        if not local:
            return found[3].upper()
    elif found := _SRS1.fullmatch(localpart):
        digest, domain, local = found[1], found[2].lower(), f"SRS0{found[3]}"
        _check(digest, _hash(key, "1", f"{domain}={found[3]}"))
    else:
        raise Cannot("it is not complete")
    try:
        return Address(local, parse_domain(domain))
    except (
        PeerError
    ):  # pragma: no cover  # its hash was right, so it was written here from a parsed address
        raise Cannot("it holds no address") from None


def _check(said: str, right: str) -> None:
    if not hmac.compare_digest(said.upper().encode(), right.encode()):
        raise Cannot("it was not made here")


def _hash(key: bytes, kind: str, text: str, length: int = _HASH) -> str:
    digest = hmac.digest(key, f"{kind}{text.lower()}".encode(), sha256)
    return base64.b32encode(digest[:10]).decode()[:length]


def _day(now: int) -> str:
    high, low = divmod(now // 86_400 % _DAYS, len(_DIGITS))
    return _DIGITS[high] + _DIGITS[low]


def _number(day: str) -> int:
    return _DIGITS.index(day[0]) * len(_DIGITS) + _DIGITS.index(day[1])
