"""Regular expressions that never go back over a run, in every Python that we run on.

Status: complete.  `(?:x)*+` says it shorter, but before 3.11.5 Python forgets some of what such a run has matched, and
Debian 12 has 3.11.2; a possessive repeat of one character class (`[^x]*+`) is right everywhere.
"""


def many(x: bytes) -> bytes:
    """As many *x* as there are, given back all or none.

    An atomic group remembers each *x* until it ends, some 160 octets; in two steps it is a constant amount.
    """
    return rb"(?>(?:(?>(?:%b){1,100}))*)" % x
