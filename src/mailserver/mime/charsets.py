"""Charset names as mail writes them, and octets to text without ever failing.

Spec: RFC 2045 §6; RFC 7103 §7.6.  Status: complete.
"""

import codecs
import encodings
import pkgutil
from encodings.aliases import aliases
from functools import lru_cache
from typing import NamedTuple

#: Python's codecs by module.  Only these are ever looked up: Python remembers each name that it was asked for.
_CODECS = frozenset({*aliases.values(), *(m.name for m in pkgutil.iter_modules(encodings.__path__))}) - {
    "aliases", "base64_codec", "bz2_codec", "hex_codec", "idna", "mbcs", "oem", "punycode", "quopri_codec",
    "raw_unicode_escape", "rot_13", "undefined", "unicode_escape", "uu_codec", "zlib_codec",
}  # fmt: skip
_UNDECLARED = frozenset(  # says nothing: UTF-8, unless the octets disagree
    [
        "",
        "ascii",
        "unknown",
        "unknown_8bit",
        "x_unknown",
        "default",
        "default_charset",
        "8bit",
        "binary",
    ]
)
_MEANT = {  # what mail says, after Python's own aliases -> the codec that reads what is really sent
    "big5": "big5hkscs",
    "cn_big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gb_2312_80": "gb18030",
    "gbk": "gb18030",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859_11": "cp874",
    "iso_8859_6_e": "iso8859_6",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "ks_c_5601": "cp949",
    "ks_c_5601_1989": "cp949",
    "latin_1": "cp1252",
    "ms_kanji": "cp932",
    "shift_jis": "cp932",
    "tis_620": "cp874",
    "unicode_1_1_utf_8": "utf_8",
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "windows_932": "cp932",
    "windows_936": "gb18030",
    "windows_949": "cp949",
    "x_big5": "big5hkscs",
    "x_euc_jp": "euc_jp",
    "x_gbk": "gb18030",
    "x_mac_roman": "mac_roman",
    "x_sjis": "cp932",
    "x_user_defined": "cp1252",
    "x_windows_1252": "cp1252",
}
_CONTROLS = {0: None, 10: " ", 13: " "}


class Charset(NamedTuple):
    """The codec for a charset's name, None if nobody knows it, and whether the name was as good as none."""

    codec: str | None
    is_guess: bool


@lru_cache(maxsize=256)
def charset_named(name: str) -> Charset:
    """What to read *name* with."""
    written = name[:80].strip(" \t\"'")
    name = encodings.normalize_encoding(written).lower()
    if not written.isascii() or bool(written) != bool(name):
        return Charset(None, False)
    name = aliases.get(name, name)
    if name in _UNDECLARED:
        return Charset("utf-8", True)
    name = _MEANT.get(name, name)
    return Charset(codecs.lookup(name).name if name in _CODECS else None, False)


def codec_for(charset: str) -> str | None:
    """The name of the codec that reads *charset*; None if nobody knows it."""
    return charset_named(charset[:80]).codec


def decode_text(data: bytes, charset: str) -> str:
    """*data* as text, without lone surrogates.  An unknown charset shows its ASCII.

    Undeclared 8-bit text, or what claims to be ASCII, is UTF-8 if it reads as that, else Windows-1252.
    """
    if data.isascii() and charset in ("", "utf-8", "us-ascii", "iso-8859-1"):
        return data.decode("ascii")
    codec, is_guess = charset_named(charset[:80])
    if codec is None:
        return data.decode("ascii", "replace")
    try:
        text = data.decode(codec)
    except UnicodeError:
        text = data.decode("cp1252" if is_guess else codec, "replace")
    return whole(text) if codec == "utf-7" else text


def whole(text: str) -> str:
    """*text* with U+FFFD for each lone surrogate: UTF-7 can say them, but nobody can write them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def one_line(text: str) -> str:
    """*text* without line ends, which would end a header field, and NULs (RFC 7103 §7.6)."""
    return text if text.isprintable() else text.translate(_CONTROLS)
