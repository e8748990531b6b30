"""rspamd judges our signatures and chains, and we judge its signatures."""

import pytest

from mailauth.arc.chains import RESULTS, Peers, judge
from mailauth.dkim.judges import ours
from mailauth.dkim.peers import corpus
from mailauth.dkim.rspamd import Rspamd
from mailauth.dkim.signing import ED25519, RSA, signed, split

pytestmark = pytest.mark.needs("rspamd")


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory):
    server = Rspamd(tmp_path_factory.mktemp("rspamd"))
    yield server
    server.stop()


@pytest.mark.rfc(6376, "3.4", "3.7")
@pytest.mark.parametrize("key", [RSA, ED25519], ids=lambda key: key.selector)
def test_rspamd_verifies_what_we_sign(rspamd, key):
    for message in corpus():
        if not split(message)[1]:  # it takes no message without a body
            continue
        symbols = rspamd.ask(signed(message, (key,)))["symbols"]
        assert "R_DKIM_ALLOW" in symbols, (message, symbols)
    forged = signed(corpus()[2], (key,)).replace(b"Hello", b"Hullo")
    assert "R_DKIM_REJECT" in rspamd.ask(forged)["symbols"]


@pytest.mark.rfc(6376, "3.4", "3.7")
def test_we_verify_what_rspamd_signs(rspamd):
    count = 0
    for message in corpus():
        answer = rspamd.ask(message, User="alice@example.org", From="alice@example.org")
        if field := answer.get("dkim-signature"):
            count += 1
            text = b"DKIM-Signature: " + str(field).encode() + b"\r\n" + message
            assert ours(text) == ["pass: rsa-sha256, 2048 bits"], text
    assert count > len(corpus()) * 3 // 4


@pytest.mark.rfc(8617, "5.1", "5.2")
def test_rspamd_holds_our_chains(rspamd, tmp_path):
    sealer = Peers(tmp_path)
    message = sealer.ours(sealer.ours(RESULTS + signed(corpus()[25])))
    assert judge(message).result == "pass"
    assert "ARC_ALLOW" in rspamd.ask(message)["symbols"]
    assert "ARC_ALLOW" not in rspamd.ask(message + b"more\r\n")["symbols"]
