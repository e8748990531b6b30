"""Passwords: prepared, hashed with argon2id, verified; bcrypt is accepted and replaced at the next log-in.

Spec: RFC 8265 §4.2 (OpaqueString); RFC 9106 §4 (argon2id).  Status: complete but for the PRECIS class check: a password
that was set with unassigned code points is kept rather than refused.

All of it is slow on purpose (about 20 ms a call): call it in a thread.  The libraries are imported on first use, so
that commands that hash nothing start quickly.
"""

import unicodedata

from mailserver.base.errors import Cannot

MEMORY_KIB = 19_456  #: 19 MiB, with two passes and one lane: OWASP's first choice for argon2id
PASSES = 2
LANES = 1
MIN_LENGTH = 8  #: characters; length is the only rule that helps (NIST SP 800-63B §5.1.1.2)
MAX_SIZE = 1_024  #: octets in UTF-8

#: verified for unknown log-ins, so that they take as long as known ones; of a random password that nobody kept
DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$BtiQw5phvnYzsVPBzSNAmg$K2jdeWGRrnFu+NYcDNJ3MUlN3q18s+ZiahkmSqPw+bc"


def prepare(password: str) -> bytes:
    """The octets that are hashed: NFC, every Unicode space as U+0020 (RFC 8265 §4.2.2), UTF-8."""
    if not password.isascii():
        mapped = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
        password = unicodedata.normalize("NFC", mapped)
    return password.encode(errors="replace")


def check_policy(password: str) -> None:
    """Raises Cannot, with the reason, for a password that no account should get."""
    octets = prepare(password)
    if len(octets.decode()) < MIN_LENGTH:
        raise Cannot(f"the password is too short: at least {MIN_LENGTH} characters")
    if len(octets) > MAX_SIZE:
        raise Cannot(f"the password is too long: at most {MAX_SIZE} octets")
    if any(unicodedata.category(c) == "Cc" for c in password):
        raise Cannot("the password has control characters, which no log-in can carry safely")


def hash_password(password: str) -> str:
    """The encoded argon2id hash, with a fresh salt."""
    from argon2 import PasswordHasher

    return PasswordHasher(PASSES, MEMORY_KIB, LANES).hash(prepare(password))


def verify(encoded: str, password: str) -> bool:
    """Whether *encoded* (argon2 or bcrypt) is a hash of *password*; False for any other text."""
    octets = prepare(password)
    if not octets or len(octets) > MAX_SIZE:
        return False
    if encoded.startswith("$argon2"):
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return PasswordHasher().verify(encoded, octets)
        except (InvalidHashError, VerificationError):
            return False
    if encoded.startswith(("$2a$", "$2b$", "$2y$")):
        import bcrypt

        try:  # bcrypt never saw more than 72 octets; the library wants us to say so
            return bcrypt.checkpw(octets[:72], encoded.encode())
        except ValueError:
            return False
    return False


def is_known(encoded: str) -> bool:
    """Whether *encoded* is a hash that `verify` understands, for imports of hashed passwords."""
    if encoded.startswith("$argon2"):
        from argon2 import extract_parameters
        from argon2.exceptions import InvalidHashError

        try:
            extract_parameters(encoded)
        except InvalidHashError:
            return False
        return True
    return encoded.startswith(("$2a$", "$2b$", "$2y$")) and len(encoded) == 60


def needs_rehash(encoded: str) -> bool:
    """Whether a hash that was just verified should be replaced by one with today's parameters."""
    if not encoded.startswith("$argon2"):
        return True
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError

    try:
        return PasswordHasher(PASSES, MEMORY_KIB, LANES).check_needs_rehash(encoded)
    except InvalidHashError:
        return True
