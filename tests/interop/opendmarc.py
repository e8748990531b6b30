"""OpenDMARC's library, asked without the DNS: reads cases as JSON lines, writes what it would do, one line each.

A case: {"record", "domain", "organization" or null, "spf": [result, domain] or null, "dkim": [[result, domain], ...]}.
It runs in a process of its own, as a library of C does when it is given odd things.

    python opendmarc.py FOLDER < cases
"""

import ctypes
import ctypes.util
import json
import sys
from pathlib import Path

OUTCOMES = {"none": 0, "pass": 1, "fail": 2, "softfail": 2, "neutral": 0, "temperror": 3}
DONE = {14: "none", 15: "pass", 16: "reject", 17: "quarantine", 18: "none"}
IPV4, MAILFROM, MOZILLA = 4, 1, 1


class Library(ctypes.Structure):
    _fields_ = (
        ("tld_type", ctypes.c_int),
        ("tld_source_file", ctypes.c_char * 4_096),
        ("nscount", ctypes.c_int),
        ("servers", ctypes.c_char * 256),
    )


def main() -> None:
    library = ctypes.CDLL("libopendmarc.so.2")
    library.opendmarc_policy_connect_init.restype = ctypes.c_void_p
    suffixes = Path(sys.argv[1]) / "suffixes"
    suffixes.write_text("com\norg\n")
    settings = Library(MOZILLA, str(suffixes).encode(), 0)
    assert library.opendmarc_policy_library_init(ctypes.byref(settings)) == 0
    for line in sys.stdin:
        print(json.dumps(judged(library, json.loads(line))))


def judged(library: ctypes.CDLL, case: dict) -> str:
    context = ctypes.c_void_p(library.opendmarc_policy_connect_init(b"192.0.2.1", IPV4))
    try:
        assert library.opendmarc_policy_store_from_domain(context, case["domain"].encode()) == 0
        if case["spf"]:
            result, domain = case["spf"]
            library.opendmarc_policy_store_spf(
                context, domain.encode(), OUTCOMES[result], MAILFROM, None
            )
        for result, domain in case["dkim"]:
            library.opendmarc_policy_store_dkim(
                context, domain.encode(), b"s", OUTCOMES[result], None
            )
        organization = case["organization"]
        organization = None if organization is None else organization.encode()
        stored = library.opendmarc_policy_store_dmarc(
            context, case["record"].encode(), case["domain"].encode(), organization
        )
        if stored != 0:
            return "not a record"
        return DONE.get(library.opendmarc_get_policy_to_enforce(context), "?")
    finally:
        library.opendmarc_policy_connect_shutdown(context)


if __name__ == "__main__":
    main()
