"""ManageSieve over real sockets: by hand, and with the programs that people use (RFC 5804)."""

import base64
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.managesieve import registry
from mailserver.managesieve.framing import Command, Framer, Refusal
from mailserver.managesieve.response import string
from servers.site import PASSWORD, Site, Wire, greeted, send
from servers.test_sieve import TO_ALICE

ALICE = "alice@example.test"
SCRIPT = 'require "fileinto";\r\nif header :contains "subject" "x" { discard; }\r\n'


def lines(wire: Wire) -> list[str]:
    """Up to the OK, NO or BYE that ends an answer; literals stand in their line."""
    out = []
    while True:
        line = wire.file.readline().decode()
        while m := re.search(r"\{([0-9]+)\}\r\n\Z", line):
            size = int(m[1])
            line = (
                line[: line.rindex("{")]
                + wire.file.read(size).decode()
                + wire.file.readline().decode()
            )
        out.append(line.removesuffix("\n").removesuffix("\r"))
        if not line or line.split()[0].rstrip("\r\n") in ("OK", "NO", "BYE"):
            return out


def ask(wire: Wire, command: str) -> list[str]:
    wire.say(command.encode() + b"\r\n")
    return lines(wire)


def token(user: str = ALICE, password: str = PASSWORD) -> str:
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def hello(site: Site, user: str = ALICE) -> Wire:
    wire = site.connect("managesieve")
    lines(wire)
    assert ask(wire, f'AUTHENTICATE "PLAIN" "{token(user)}"') == ['OK "Logged in."']
    return wire


def put(wire: Wire, name: str, text: str) -> list[str]:
    return ask(wire, f'PUTSCRIPT "{name}" {{{len(text.encode())}+}}\r\n{text}')


def test_table(golden) -> None:
    registry.load()
    golden("managesieve_commands.txt", registry.table())


@pytest.mark.rfc(5804, "1.7", "2.4")
def test_greeting(site: Site) -> None:
    with site.connect("managesieve") as wire:
        said = lines(wire)
        assert said[-1] == 'OK "Welcome."'
        names = dict(line.partition(" ")[::2] for line in said[:-1])
        assert names['"VERSION"'] == '"1.0"'
        assert "PLAIN" in names['"SASL"'].strip('"').split()
        assert {"fileinto", "vacation", "body"} <= set(names['"SIEVE"'].strip('"').split())
        assert names['"EXTLISTS"'] == '"tag urn"'
        assert names['"STARTTLS"'] == ""
        assert '"OWNER"' not in names
        assert ask(wire, "CAPABILITY")[:-1] == said[:-1]


@pytest.mark.rfc(5804, "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.12")
def test_a_script_comes_and_goes(site: Site) -> None:
    with hello(site) as wire:
        assert ask(wire, "LISTSCRIPTS") == ["OK"]
        assert ask(wire, 'HAVESPACE "main" 1000') == ["OK"]
        assert ask(wire, 'HAVESPACE "main" 99999999')[0].startswith("NO (QUOTA/MAXSIZE) ")
        assert put(wire, "main", SCRIPT) == ["OK"]
        assert ask(wire, "LISTSCRIPTS") == ['"main"', "OK"]
        assert ask(wire, 'SETACTIVE "main"') == ["OK"]
        assert ask(wire, "LISTSCRIPTS") == ['"main" ACTIVE', "OK"]
        assert ask(wire, 'DELETESCRIPT "main"')[0].startswith("NO (ACTIVE) ")
        assert ask(wire, 'GETSCRIPT "main"') == [SCRIPT, "OK"]
        assert ask(wire, 'RENAMESCRIPT "main" "other"') == ["OK"]
        assert ask(wire, 'RENAMESCRIPT "main" "other"')[0].startswith("NO (NONEXISTENT) ")
        assert put(wire, "third", "keep;") == ["OK"]
        assert ask(wire, 'RENAMESCRIPT "third" "other"')[0].startswith("NO (ALREADYEXISTS) ")
        assert ask(wire, 'SETACTIVE ""') == ["OK"]
        assert ask(wire, 'DELETESCRIPT "other"') == ["OK"]
        assert ask(wire, 'GETSCRIPT "other"')[0].startswith("NO (NONEXISTENT) ")
        assert ask(wire, 'CHECKSCRIPT "keep"') == [
            'NO "line 1, column 5: \\";\\" or a block in { } is missing behind \\"keep\\""'
        ]
        assert ask(wire, 'CHECKSCRIPT "keep;"') == ["OK"]
        assert put(wire, "warn", 'if header "a:b" "c" { }')[0].startswith("OK (WARNINGS) ")
        assert ask(wire, 'NOOP "a tag"') == ['OK (TAG "a tag") "Here I am."']
        assert ask(wire, "LOGOUT") == ['OK "Goodbye."']
        assert wire.file.read() == b""


def test_it_is_in_force_at_once_and_only_for_its_owner(site: Site) -> None:
    with hello(site) as alice, hello(site, "bob@example.test") as bob, greeted(site) as client:
        put(alice, "main", "discard;")
        ask(alice, 'SETACTIVE "main"')
        assert ask(bob, "LISTSCRIPTS") == ["OK"]
        assert ask(bob, 'GETSCRIPT "main"')[0].startswith("NO (NONEXISTENT)")
        send(client, ALICE, "bob@example.test", raw=TO_ALICE)
    assert site.messages(ALICE) == []
    assert len(site.messages("bob@example.test")) == 1


@pytest.mark.rfc(5804, "2.1", "2.2", "2.14")
def test_log_in(site: Site) -> None:
    with site.connect("managesieve") as wire:
        lines(wire)
        assert ask(wire, "LISTSCRIPTS") == ['NO "Log in first"']
        assert ask(wire, 'AUTHENTICATE "NOSUCH"') == ['NO "There is no such mechanism"']
        wrong = ask(wire, f'AUTHENTICATE "PLAIN" "{token(password="wrong")}"')
        assert wrong == ['NO "Log-in name or password is wrong"']
        wire.say(b"STARTTLS\r\nLISTSCRIPTS\r\n")
        assert lines(wire) == ['OK "Begin TLS now."']
        wire.tls()
        told = lines(wire)
        assert told[-1] == "OK"
        assert not any("STARTTLS" in line for line in told), "it is there"
        wire.say(b'AUTHENTICATE "PLAIN"\r\n')
        assert wire.file.readline() == b'""\r\n'
        assert ask(wire, f'"{token()}"') == ['OK "Logged in."']
        assert f'"OWNER" "{ALICE}"' in ask(wire, "CAPABILITY")
        assert ask(wire, 'AUTHENTICATE "PLAIN"') == ['NO "You are logged in already"']
        assert ask(wire, "UNAUTHENTICATE") == ["OK"]
        assert ask(wire, "LISTSCRIPTS") == ['NO "Log in first"']
        wire.say(b'AUTHENTICATE "PLAIN"\r\n')
        wire.file.readline()
        assert ask(wire, '"*"') == ['NO "Cancelled"']


@pytest.mark.parametrize(
    "command",
    [
        "NOSUCH",
        "PUTSCRIPT",
        'PUTSCRIPT "a"',
        "GETSCRIPT 1",
        'HAVESPACE "a" "b"',
        'NOOP "a" "b"',
        '"a"',
        "!",
        'NOOP "a',
    ],
)
def test_nonsense_is_refused_and_the_connection_goes_on(site: Site, command: str) -> None:
    with hello(site) as wire:
        (said,) = ask(wire, command)
        assert said.startswith("NO ")
        assert ask(wire, "NOOP")[0].startswith("OK")


def test_bounds(site: Site) -> None:
    with hello(site) as wire:
        large = 2_000_000
        wire.say(b'PUTSCRIPT "big" {%d+}\r\n' % large + b"#" * large + b"\r\n")
        assert lines(wire)[0].startswith("NO (QUOTA/MAXSIZE) ")
        assert ask(wire, "NOOP")[0].startswith("OK")
        for n in range(100):
            put(wire, f"s{n}", "keep;")
        assert put(wire, "one more", "keep;")[0].startswith("NO (QUOTA/MAXSCRIPTS) ")
        assert put(wire, "s0", "discard;") == ["OK"]
        wire.say(b"x" * 20_000)
        assert lines(wire)[0].startswith("BYE ")
    with hello(site) as wire:
        assert ask(wire, "NOOP {9999999999+}")[0].startswith("BYE ")
    with site.connect("managesieve") as wire:
        lines(wire)
        wire.say(b'AUTHENTICATE "PLAIN" {50000+}\r\n' + b"x" * 50_000 + b"\r\n")
        assert lines(wire)[0].startswith("NO ")
        for _ in range(19):
            ask(wire, "!")
        assert lines(wire) == ['BYE "Too many errors"']
        assert wire.file.read() == b""


@given(st.binary(max_size=300), st.integers(1, 50))
def test_framing_is_the_same_in_pieces(data: bytes, size: int) -> None:
    def read(pieces: list[bytes]) -> list[Command | Refusal]:
        framer, out = Framer(100), []
        for piece in pieces:
            framer.feed(piece)
            while (found := framer.next()) is not None:
                out.append(found)
                if isinstance(found, Refusal) and found.is_fatal:
                    return out
        return out

    whole = (
        b'NOOP "' + data + b'"\r\nPUTSCRIPT {5+}\r\nabcde {200+}\r\n' + b"x" * 200 + b"\r\nNOOP\r\n"
    )
    assert read([whole]) == read([whole[i : i + size] for i in range(0, len(whole), size)])


@given(st.text(max_size=100))
def test_strings_come_back(text: str) -> None:
    framer = Framer(1_000)
    framer.feed(b"NOOP " + string(text) + b"\r\n")
    assert framer.next() == Command("NOOP", (text.encode(),))


# programs


def test_sievelib(site: Site) -> None:
    from sievelib.managesieve import Client

    client = Client("127.0.0.1", site.ports["managesieve"])
    assert client.connect(ALICE, PASSWORD)
    assert client.putscript("main", SCRIPT)
    assert client.checkscript(SCRIPT)
    assert not client.putscript("bad", "nosuch;")
    assert client.setactive("main")
    assert client.listscripts() == ("main", [])
    assert client.getscript("main").strip() == SCRIPT.replace("\r\n", "\n").strip()
    assert client.havespace("main", 1_000)
    assert client.renamescript("main", "other")
    assert client.setactive("")
    assert client.deletescript("other")
    client.logout()


def test_managesieve(site: Site) -> None:
    from managesieve import MANAGESIEVE

    client = MANAGESIEVE("127.0.0.1", site.ports["managesieve"])
    assert client.login("", ALICE, PASSWORD) == "OK"
    assert client.putscript("main", SCRIPT) == "OK"
    assert client.setactive("main") == "OK"
    assert client.listscripts() == ("OK", [("main", True)])
    assert client.getscript("main") == ("OK", SCRIPT)
    assert client.setactive("") == "OK"
    assert client.deletescript("main") == "OK"
    client.logout()


@pytest.mark.needs("sieve-connect")
def test_sieve_connect(site: Site, tmp_path) -> None:
    (tmp_path / "main.sieve").write_text(SCRIPT.replace("\r\n", "\n"))

    def run(*options: str) -> str:
        done = subprocess.run(
            [
                *(
                    "sieve-connect",
                    "--server",
                    "127.0.0.1",
                    "--port",
                    str(site.ports["managesieve"]),
                ),
                *(
                    "--user",
                    ALICE,
                    "--passwordfd",
                    "0",
                    "--authmech",
                    "PLAIN",
                    "--notlsverify",
                    *options,
                ),
            ],
            input=PASSWORD + "\n",
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("--upload", "--localsieve", "main.sieve", "--remotesieve", "main")
    run("--activate", "--remotesieve", "main")
    assert '"main" ACTIVE' in run("--list").replace("main ACTIVE", '"main" ACTIVE')
    assert "fileinto" in run("--download", "--remotesieve", "main", "--localsieve", "-")
    run("--deactivate")
    run("--delete", "--remotesieve", "main")
