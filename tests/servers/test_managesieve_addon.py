"""ManageSieve as Thunderbird's Sieve add-on speaks it (thsmi/sieve): its commands, octet for octet, its way to read.

The add-on reads strictly: exactly one space between tokens, a string behind each code, a line end behind each answer.
After STARTTLS it asks for the capabilities, and takes those that come by themselves for the answer; a second set must
follow.  Scripts go as literals, everything else as quoted strings.
"""

import base64
import hashlib
import hmac
import re

import pytest

from mailserver.base.limits import SieveLimits
from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.directory.filter_settings import keeping
from mailserver.directory.filter_settings.model import Forward, Settings
from mailserver.sieve import registry
from mailserver.store.tx import Write
from servers.site import PASSWORD, Site, Wire
from servers.test_managesieve import ALICE, ask, hello
from servers.test_mechanisms import give_keys, until

SCRIPT = 'require "fileinto";\r\nif header :contains "subject" "gr\u00fcn \\"x\\"" {\r\n    fileinto "A";\r\n}\r\n'


class AddOn:
    """Reads as the add-on's parser does."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def say(self, *tokens: str) -> None:
        self.wire.say((" ".join(tokens) + "\r\n").encode())

    def line(self) -> bytes:
        line = self.wire.file.readline()
        assert line.endswith(b"\r\n"), line
        return line[:-2]

    def string(self, text: bytes) -> tuple[str, bytes]:
        """(the string that *text* begins with, what is behind it)."""
        if m := re.match(rb'"((?:[^"\\]|\\.)*)"', text):
            return re.sub(r"\\(.)", r"\1", m[1].decode()), text[m.end() :]
        m = re.fullmatch(rb"\{([0-9]+)\+?\}", text)
        assert m, text
        value = self.wire.file.read(int(m[1]))
        return value.decode(), self.line()

    def status(self, line: bytes | None = None) -> tuple[str, str, str]:
        """(OK, NO or BYE; code; text)."""
        line = self.line() if line is None else line
        m = re.match(rb"(OK|NO|BYE)", line)
        assert m, line
        word, rest, code, text = m[1].decode(), line[m.end() :], "", ""
        if rest:
            assert rest.startswith(b" "), line
            rest = rest[1:]
        if rest.startswith(b"("):
            m = re.match(rb'\(([^ )"]+)((?: (?:"(?:[^"\\]|\\.)*"|[^ )]+))*)\)', rest)
            assert m, line
            code, rest = (m[1] + m[2]).decode(), rest[m.end() :]
            if rest:
                assert rest.startswith(b" "), line
                rest = rest[1:]
        if rest:
            text, rest = self.string(rest)
            assert rest == b"", line
        return word, code, text

    def capabilities(self) -> dict[str, str]:
        found: dict[str, str] = {}
        while True:
            line = self.line()
            if not line.startswith((b'"', b"{")):
                assert self.status(line)[0] == "OK"
                assert found["IMPLEMENTATION"]
                assert "SIEVE" in found
                return found
            name, rest = self.string(line)
            if rest:
                assert rest.startswith(b" "), line
                found[name.upper()], rest = self.string(rest[1:])
                assert rest == b"", line
            else:
                found[name.upper()] = ""

    def scripts(self) -> dict[str, bool]:
        found: dict[str, bool] = {}
        while True:
            line = self.line()
            if not line.startswith((b'"', b"{")):
                assert self.status(line)[0] == "OK"
                return found
            name, rest = self.string(line)
            assert rest in (b"", b" ACTIVE"), line
            found[name] = rest != b""

    def script(self) -> str:
        text, rest = self.string(self.line())
        assert rest == b""
        assert self.status()[0] == "OK"
        return text


def _literal(text: str) -> str:
    return f"{{{len(text.encode())}+}}\r\n{text}"


@pytest.mark.rfc(5804, "1.3", "1.7", "2.1", "2.2", "2.4", "2.7", "2.13")
def test_a_session(site: Site) -> None:
    with site.connect("managesieve") as wire:
        client = AddOn(wire)
        told = client.capabilities()
        assert told["STARTTLS"] == ""
        client.say("STARTTLS")
        assert client.status()[0] == "OK"
        wire.tls()
        client.say("CAPABILITY")
        told = client.capabilities()  # sent without being asked
        assert client.capabilities() == told  # what it has asked for
        assert "STARTTLS" not in told
        assert set(told["SIEVE"].split()) >= registry.CAPABILITIES - {"imapsieve"}
        assert float(told["VERSION"]) >= 1.0
        token = base64.b64encode(f"\0{ALICE}\0{PASSWORD}".encode()).decode()
        client.say("AUTHENTICATE", '"PLAIN"', f'"{token}"')
        assert client.status()[0] == "OK"
        client.say("LISTSCRIPTS")
        assert client.scripts() == {}
        client.say("CHECKSCRIPT", _literal(SCRIPT))
        assert client.status()[0] == "OK"
        client.say("CHECKSCRIPT", _literal('if header "x" {\r\n'))
        word, _, text = client.status()
        assert word == "NO"
        assert text.startswith("line 1, column")
        name = 'new \\"script\\" \u00fc'
        client.say("PUTSCRIPT", f'"{name}"', _literal(SCRIPT))
        assert client.status()[0] == "OK"
        client.say("GETSCRIPT", f'"{name}"')
        assert client.script() == SCRIPT
        client.say("PUTSCRIPT", '"warned"', _literal('if header "a:b" "c" { }'))
        assert client.status()[:2] == ("OK", "WARNINGS")
        client.say("SETACTIVE", f'"{name}"')
        assert client.status()[0] == "OK"
        client.say("LISTSCRIPTS")
        assert client.scripts() == {'new "script" \u00fc': True, "warned": False}
        client.say("DELETESCRIPT", f'"{name}"')
        assert client.status()[:2] == ("NO", "ACTIVE")
        client.say("RENAMESCRIPT", f'"{name}"', '"warned"')
        assert client.status()[:2] == ("NO", "ALREADYEXISTS")
        client.say("RENAMESCRIPT", f'"{name}"', '"main"')
        assert client.status()[0] == "OK"
        client.say("NOOP")
        assert client.status()[0] == "OK"
        client.say("SETACTIVE", '""')
        assert client.status()[0] == "OK"
        client.say("DELETESCRIPT", '"main"')
        assert client.status()[0] == "OK"
        client.say("LOGOUT")
        assert client.status()[0] in ("OK", "BYE")
        assert wire.file.read() == b""


@pytest.mark.rfc(5804, "2.1")
@pytest.mark.rfc(5802, "5")
def test_scram(site: Site) -> None:
    name, digest = "SCRAM-SHA-256", "sha256"
    give_keys(site.store)
    until(lambda: site.context.offer.has_scram)
    with site.connect("managesieve") as wire:
        client = AddOn(wire)
        assert name in client.capabilities()["SASL"].split()
        nonce = hashlib.sha1(b"0.5").hexdigest()  # the add-on makes it of a hexadecimal digest
        bare = f"n={ALICE},r={nonce}"
        client.say(
            "AUTHENTICATE", f'"{name}"', f'"{base64.b64encode(b"n,," + bare.encode()).decode()}"'
        )
        first, rest = client.string(client.line())
        assert rest == b""
        challenge = base64.b64decode(first).decode()
        said = dict(part.split("=", 1) for part in challenge.split(","))
        assert said["r"].startswith(nonce)
        key = hashlib.pbkdf2_hmac(
            digest, PASSWORD.encode(), base64.b64decode(said["s"]), int(said["i"])
        )

        def mac(by: bytes, text: bytes) -> bytes:
            return hmac.new(by, text, digest).digest()

        final = f"c={base64.b64encode(b'n,,').decode()},r={said['r']}"
        message = f"{bare},{challenge},{final}".encode()
        own = mac(key, b"Client Key")
        proof = bytes(
            a ^ b for a, b in zip(own, mac(hashlib.new(digest, own).digest(), message), strict=True)
        )
        answer = f"{final},p={base64.b64encode(proof).decode()}"
        client.say(f'"{base64.b64encode(answer.encode()).decode()}"')
        line = client.line()
        if line.startswith(b'"'):  # the server's word in a challenge of its own
            text, _ = client.string(line)
            client.say('""')
            assert client.status()[0] == "OK"
        else:
            word, code, _ = client.status(line)
            assert word == "OK"
            text = code.removeprefix("SASL ").strip('"')
        server = base64.b64encode(mac(mac(key, b"Server Key"), message)).decode()
        assert base64.b64decode(text).decode() == f"v={server}"
        client.say("LISTSCRIPTS")
        assert client.scripts() == {}


@pytest.mark.rfc(5804, "2.4")
def test_every_extension_is_announced(site: Site) -> None:
    with site.connect("managesieve") as wire:
        told = AddOn(wire).capabilities()["SIEVE"].split()
    assert len(told) == len(set(told))
    assert {
        *("fileinto", "envelope", "encoded-character", "variables", "vacation", "vacation-seconds"),
        *("relational", "imap4flags", "subaddress", "copy", "body", "environment", "date", "index"),
        *(
            "editheader",
            "reject",
            "ereject",
            "ihave",
            "mailbox",
            "include",
            "duplicate",
            "mailboxid",
        ),
        *("special-use", "extlists", "foreverypart", "mime", "replace", "enclose", "extracttext"),
        *("enotify", "fcc", "spamtest", "spamtestplus", "virustest", "mboxmetadata"),
        *("servermetadata", "comparator-i;ascii-numeric"),
    } <= set(told)


def test_what_settings_make_is_neither_seen_nor_overwritten(site: Site) -> None:
    wanted = Settings(forward=Forward(("x@example.org",)))

    def job(tx: Write) -> None:
        keeping.change(tx, accounts.at(tx, parse(ALICE)), lambda found: wanted, SieveLimits())

    site.store.write_now(job)
    with hello(site) as wire:
        assert ask(wire, "LISTSCRIPTS") == ["OK"]
        for command in (
            'GETSCRIPT ""',
            'DELETESCRIPT ""',
            'RENAMESCRIPT "" "mine"',
            'PUTSCRIPT "" "keep;"',
            'HAVESPACE "" 1',
        ):
            assert ask(wire, command)[-1].startswith("NO "), command
        assert ask(wire, 'PUTSCRIPT "settings" "keep;"') == ["OK"]
        assert ask(wire, 'RENAMESCRIPT "settings" ""')[-1].startswith("NO ")
        assert ask(wire, 'SETACTIVE "settings"') == ["OK"]
        assert ask(wire, 'SETACTIVE ""') == ["OK"]
    found = site.store.read_now(lambda tx: keeping.load(tx, accounts.at(tx, parse(ALICE))))
    assert found == wanted
