"""Other people's programs and our signatures; our judge and theirs.

dkimpy, Perl's Mail::DKIM and OpenDKIM read what we sign, and we read what they sign, over messages with every kind of
white space, folding and empty lines.
"""

import os
import subprocess
import time
from pathlib import Path

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailauth.dkim.judges import PERL, ours, record
from mailauth.dkim.milter import added_fields
from mailauth.dkim.peers import PEM, corpus, dns, messages
from mailauth.dkim.signing import KEYS, RSA, signed, split
from outside.programs import run

FORMS = [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]


def theirs(message: bytes) -> list[bool]:
    """What dkimpy says of each signature."""
    judge = dkim.DKIM(message)
    count = message.lower().partition(b"\r\n\r\n")[0].count(b"dkim-signature:")
    results = []
    for n in range(count):
        try:
            results.append(judge.verify(n, dnsfunc=record))
        except (dkim.DKIMException, ValueError):  # nacl: not 64 octets
            results.append(False)
    return results


@pytest.mark.rfc(6376, "3.4", "3.7")
@given(messages())
def test_dkimpy_verifies_what_we_sign(message):
    assert theirs(signed(message, KEYS)) == [True, True]


@pytest.mark.rfc(6376, "3.4", "3.7")
@settings(max_examples=60)
@given(messages(), st.sampled_from(FORMS), st.booleans())
def test_we_verify_what_dkimpy_signs(message, forms, has_length):
    field = dkim.sign(
        message, b"rsa", b"example.org", PEM, canonicalize=forms, length=has_length,
        include_headers=[b"from", b"subject", b"x-any", b"to"],
    )  # fmt: skip
    assert ours(field + message) == ["pass: rsa-sha256, 2048 bits"]


@pytest.mark.rfc(6376, "8.2")
@pytest.mark.parametrize("forms", FORMS)
def test_of_a_body_in_part_only_we_say_that_the_rest_is_not_signed(forms):
    message = b"From: a@example.org\r\n\r\nHello \t World\r\n"
    field = dkim.sign(
        message, b"rsa", b"example.org", PEM,
        canonicalize=forms, length=True, include_headers=[b"from"],
    )  # fmt: skip
    longer = field + message + b"Buy!\r\n"
    assert theirs(longer) == [True]
    assert ours(longer) == ["policy: the last 6 octets of the body are not signed"]


@settings(max_examples=150)
@given(messages(), st.integers(0, 10_000), st.sampled_from([b" ", b"\r\n", b"x", b"\t", b""]))
def test_dkimpy_and_we_agree_on_what_somebody_changes(message, at, octets):
    """One octet replaced or inserted anywhere; where the header breaks, we say more than dkimpy."""
    text = signed(message, KEYS)
    at %= len(text)
    text = text[:at] + octets + text[at + (len(octets) != 2) :]
    results = ours(text)
    if any("belong to no field" in r or "not exactly one From" in r for r in results):
        return
    if any("beside the signed one" in r for r in results) or not split(text)[0].strip():
        return
    try:
        said = theirs(text)
    except dkim.MessageFormatError:  # it reads no field with a blank before the colon
        return
    assert [r.startswith("pass") for r in results] == said


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A directory with the zone, the key and a file for each message."""
    home = tmp_path_factory.mktemp("peers")
    (home / "keys").write_text(dns())
    (home / "private.pem").write_bytes(PEM)
    (home / "private.pem").chmod(0o600)
    return home


def written(home: Path, texts: list[bytes]) -> list[Path]:
    paths = [home / f"{n:03}.eml" for n in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text)
    return paths


def perl(home: Path, task: str, paths: list[Path], **rest: str) -> list[str]:
    """Mail::DKIM's answers."""
    done = subprocess.run(
        ["perl", PERL, task, home / "keys", *paths],
        env={**os.environ, "KEYFILE": str(home / "private.pem"), **rest},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(6376, "3.4", "3.7")
def test_perl_verifies_what_we_sign(files):
    texts = [signed(message) for message in corpus()]
    answers = perl(files, "verify", written(files, texts))
    assert set(answers) == {"rsa pass"}
    changed = [text[:-2] + b"x\r\n" for text in texts if text.endswith(b"o\r\n")]
    answers = perl(files, "verify", written(files, changed))
    assert set(answers) == {"rsa fail (body has been altered)"}


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(6376, "3.4", "3.7")
@pytest.mark.parametrize("method", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed"])
def test_we_verify_what_perl_signs(files, method):
    paths = written(files, corpus())
    answers = perl(files, "sign", paths, DOMAIN="example.org", SELECTOR="rsa", METHOD=method)
    assert set(answers) == {"done"}
    for path in paths:
        assert ours(path.read_bytes()) == ["pass: rsa-sha256, 2048 bits"], path.read_bytes()


@pytest.fixture(scope="module")
def opendkim(files):
    """OpenDKIM's configuration file, which knows our key."""
    path = files / "opendkim.conf"
    text = f"Mode v\nSyslog no\nTestPublicKeys {files / 'keys'}\n"
    path.write_text(text)
    return path


@pytest.mark.needs("opendkim")
@pytest.mark.rfc(6376, "3.4", "3.7")
def test_opendkim_verifies_what_we_sign(files, opendkim):
    texts = [signed(message) for message in corpus()]
    texts = [text for text in texts if split(text)[1]]  # without a body it reads no message
    paths = written(files, texts)
    out = run(files, "opendkim", "-x", opendkim, "-t", ",".join(map(str, paths)))
    assert out.count("(s=rsa, d=example.org, 2048-bit key) succeeded") == len(paths), out
    paths = written(files, [text.replace(b"alice@", b"eve@") for text in texts])
    out = run(files, "opendkim", "-x", opendkim, "-t", ",".join(map(str, paths)))
    assert out.count("failed: signature verification failed") == len(paths), out


@pytest.mark.needs("opendkim")
@pytest.mark.rfc(6376, "3.4", "3.7")
@pytest.mark.parametrize("form", ["simple/simple", "relaxed/relaxed", "relaxed/simple"])
def test_we_verify_what_opendkim_signs(files, form):
    """The milter itself, in the foreground, signing as it does behind Postfix."""
    place = files / "milter.sock"
    config = files / "signing.conf"
    config.write_text(
        f"Mode s\nSyslog no\nBackground no\nSocket local:{place}\nCanonicalization {form}\n"
        f"Domain example.org\nSelector rsa\nKeyFile {files / 'private.pem'}\n"
        "SignatureAlgorithm rsa-sha256\nInternalHosts 127.0.0.1\nRequireSafeKeys no\n"
    )
    place.unlink(missing_ok=True)
    milter = subprocess.Popen(["opendkim", "-f", "-x", config], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while not place.exists():
            assert milter.poll() is None, milter.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for message in corpus():
            header, body = split(message)
            ((name, value),) = added_fields(place, header, body)
            field = name + b":" + value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n"
            assert ours(field + message) == ["pass: rsa-sha256, 2048 bits"], field + message
    finally:
        milter.terminate()
        milter.communicate(timeout=20)


@pytest.mark.needs("opendkim-testmsg")
@pytest.mark.rfc(8301, "3.1")
def test_signatures_of_the_past_prove_nothing(files):
    """OpenDKIM's test program signs with SHA-1."""
    with (files / "plain.eml").open("wb") as file:
        file.write(corpus()[2])
    with (files / "plain.eml").open("rb") as file:
        command = ["opendkim-testmsg", "-C", "-d", "example.org", "-s", "rsa"]
        command += ["-k", str(files / "private.pem")]
        text = subprocess.run(command, stdin=file, capture_output=True, check=True, timeout=60)
    assert ours(text.stdout) == ["policy: rsa-sha1 proves nothing any more"]
    assert RSA.algorithm == "rsa-sha256"
