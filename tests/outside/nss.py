"""A saved password in a Mozilla profile: written with Mozilla's own library, in a process of its own.

`python nss.py PROFILE ORIGIN USER PASSWORD` makes the profile's key database (no primary password) and logins.json.
"""

from __future__ import annotations

import base64
import ctypes
import json
import sys
from pathlib import Path

LIBRARY = "/usr/lib/thunderbird/libnss3.so"


class Item(ctypes.Structure):
    """SECItem: a typed run of octets."""

    _fields_ = [("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("size", ctypes.c_uint)]


def save(profile: Path, origin: str, user: str, password: str) -> None:
    """*profile* knows the password of *user* at *origin*, such as imap://localhost."""
    nss = ctypes.CDLL(LIBRARY)
    nss.PK11_GetInternalKeySlot.restype = ctypes.c_void_p
    if nss.NSS_InitReadWrite(f"sql:{profile}".encode()):
        raise RuntimeError("NSS does not open the profile")
    slot = ctypes.c_void_p(nss.PK11_GetInternalKeySlot())
    if nss.PK11_NeedUserInit(slot) and nss.PK11_InitPin(slot, None, b""):
        raise RuntimeError("NSS makes no key database")

    def sealed(text: str) -> str:
        data = text.encode()
        key, out = Item(0, None, 0), Item(0, None, 0)
        plain = Item(0, ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data))
        if nss.PK11SDR_Encrypt(ctypes.byref(key), ctypes.byref(plain), ctypes.byref(out), None):
            raise RuntimeError("NSS does not encrypt")
        return base64.b64encode(ctypes.string_at(out.data, out.size)).decode()

    now = 1_770_000_000_000
    login = {
        "id": 1,
        "hostname": origin,
        "httpRealm": origin,
        "formSubmitURL": None,
        "usernameField": "",
        "passwordField": "",
        "encryptedUsername": sealed(user),
        "encryptedPassword": sealed(password),
        "guid": "{7c1e6a80-0000-4000-8000-000000000001}",
        "encType": 1,
        "timeCreated": now,
        "timeLastUsed": now,
        "timePasswordChanged": now,
        "timesUsed": 1,
    }
    whole = {"nextId": 2, "logins": [login], "version": 3}
    (profile / "logins.json").write_text(json.dumps(whole))
    nss.NSS_Shutdown()


if __name__ == "__main__":
    save(Path(sys.argv[1]), *sys.argv[2:5])
