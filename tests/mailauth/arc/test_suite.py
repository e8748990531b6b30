"""Every chain of the test suite that ARC's authors have written."""

import asyncio

import pytest

from mailauth.dkim.signing import split
from mailauth.zone import Zone
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.verify import Chain
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import look_up
from outside import arc_suite

#: what we judge otherwise
OTHERWISE = {
    "ams_fields_a_sha1": "fail",  # RFC 8301 §3.1: whoever verifies must not take it for a signature
    "as_fields_a_sha1": "fail",
    "ams_fields_h_empty": "fail",  # RFC 6376 §3.5: h= names at least one field
}


def _zone(records: dict[str, str]) -> Zone:
    zone = Zone()
    for name, text in (records or {}).items():
        zone.add(f'{name} TXT "{text}"')
    return zone


def _judged(message: str, zone: Zone) -> str:
    octets = message.encode().replace(b"\n", b"\r\n")
    header, body = (b"", octets) if octets.startswith(b"\r\n") else split(octets)
    read = Message(header)
    chain = Chain(read, now=1_764_000_000)
    read.feed(body)
    result = chain.result({n: asyncio.run(look_up(zone, n, DkimLimits())) for n in chain.names})
    return result.result


@pytest.mark.rfc(8617, "4.1", "4.2", "5.2")
@pytest.mark.rfc(8301, "3.1", "3.2")
@pytest.mark.rfc(6376, "3.5")
def test_the_whole_suite() -> None:
    cases, wrong = 0, []
    for scenario in arc_suite.scenarios():
        zone = _zone(scenario["txt-records"])
        for name, case in scenario["tests"].items():
            cases += 1
            found = _judged(case["message"] or "", zone)
            meant = case["cv"].lower()
            if meant and found != OTHERWISE.get(name, meant):
                wrong.append(f"{name} ({case['description']}): {found}, not {meant}")
    assert not wrong, "\n".join(wrong)
    assert cases >= 170
