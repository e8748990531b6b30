"""The form in which texts are compared.

Spec: RFC 3501 §6.4.4; RFC 9051 §6.4.4; RFC 5322 §2.2.3.  Status: complete.
"""

from mailserver.mime import text


def fold(value: str) -> str:
    """*value* so that `fold(a) in fold(b)` is the substring test of every search key: no case, a tab is a space.

    Tabs begin the continuation lines of many header fields, where the reader sees a space.
    """
    return text.fold(value).replace("\t", " ")
