"""Every case of the SPF community's test suite, of both RFCs."""

import asyncio
from ipaddress import ip_address

import pytest

from mailauth.spf.suite_zone import SuiteZone
from mailserver.base.limits import SpfLimits
from mailserver.mailauth.spf.identity import check_sender
from outside import spf_suite


@pytest.mark.rfc(7208, "3", "4", "5", "6", "7", "8")
@pytest.mark.parametrize(
    ("file", "least"), [("rfc7208-tests.yml", 200), ("rfc4408-tests.yml", 180)]
)
def test_the_whole_suite(file: str, least: int) -> None:
    cases, wrong = 0, []
    for scenario in spf_suite.scenarios(file):
        zone = SuiteZone(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            cases += 1
            result = asyncio.run(
                check_sender(
                    zone,
                    ip_address(case["host"]),
                    case["mailfrom"] or "",
                    case["helo"],
                    limits=SpfLimits(),
                    receiver=case.get("receiver", ""),
                    now=0,
                )
            )
            results = [case["result"]] if isinstance(case["result"], str) else case["result"]
            explanation = case.get("explanation", result.explanation)
            if explanation == "DEFAULT":  # of the receiver, who has none here
                explanation = ""
            # the suite writes the digits of IPv6 addresses in capitals, RFC 7208 §7.4 does not
            if result.result not in results or result.explanation.lower() != explanation.lower():
                wrong.append(f"{name}: {result}, not {case['result']} {explanation!r}")
    assert not wrong, "\n".join(wrong)
    assert cases >= least
