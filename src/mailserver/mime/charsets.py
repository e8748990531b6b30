"""Charset names as mail writes them, and octets to text without ever failing.

Spec: RFC 2045 §6; RFC 7103 §7.6.  Status: complete.
"""

import codecs
from functools import lru_cache

_ALIASES = {  # what mail says -> a codec that reads what is really sent
    "": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "unknown": "utf-8",
    "default": "utf-8",
    "default_charset": "utf-8",
    "8bit": "utf-8",
    "binary": "utf-8",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "big5": "big5hkscs",
    "x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-windows-1252": "cp1252",
    "x-user-defined": "cp1252",
    "tis-620": "cp874",
}
_NOT_TEXT = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
)


@lru_cache(maxsize=256)
def codec_for(charset: str) -> str | None:
    """The name of the codec that reads *charset*; None if nobody knows it."""
    name = charset.strip().strip("\"'").lower()
    name = _ALIASES.get(name, name)
    try:
        found = codecs.lookup(name).name
        b"a".decode(found)
    except (LookupError, ValueError) as error:
        if not isinstance(error, UnicodeError):  # unknown, or as rot13 no charset
            return None
    return None if found.replace("_", "-") in _NOT_TEXT else found


def decode_text(data: bytes, charset: str) -> str:
    """*data* as text.  Undeclared or wrongly declared 8-bit text is UTF-8 if it reads as that, else Windows-1252."""
    if data.isascii() and charset in ("", "utf-8", "us-ascii", "iso-8859-1"):
        return data.decode("ascii")
    codec = codec_for(charset[:80])
    if codec is None:
        return data.decode("ascii", "replace")
    try:
        return data.decode(codec)
    except UnicodeError:
        if codec == "utf-8" and charset not in ("utf-8", "utf8"):
            return data.decode("cp1252", "replace")
        return data.decode(codec, "replace")
