"""Mail from another IMAP server: ours, and one that misbehaves (RFC 3501 §2.3.1.1, RFC 6154 §2, RFC 2342 §5)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailserver.base.errors import Cannot, TryLater
from mailserver.moving import imap_source
from mailserver.moving.imap_client import Client, Facts, Folder, Login, Lost, Opened, Refused
from mailserver.moving.imap_source import ATTEMPTS, Choice, ImapSource
from mailserver.store.flags import FLAGGED, SEEN
from moving.household import Household
from servers.imap_bench import PASSWORD, Bench, running


class Elsewhere:
    """A server as `Client` shows it.  fails: called with the name of each request; may raise."""

    def __init__(self) -> None:
        self.prefix, self.separator = "", "/"
        self.validity = 1_600_000_000
        self.boxes: dict[str, dict[int, bytes]] = {"INBOX": {}}
        self.attributes: dict[str, set[str]] = {}
        self.others: list[str] = []
        self.fails: Callable[[str], None] = lambda request: None
        self.connections = 0
        self.asked: list[str] = []
        self.here: dict[int, bytes] = {}

    def connect(self, login: Login) -> Any:
        self._note("connect")
        self.connections += 1
        return self

    def close(self) -> None:
        pass

    def namespaces(self) -> tuple[list[str], list[str]]:
        return [self.prefix], self.others

    def subscribed(self) -> set[str]:
        return {"INBOX"}

    def folders(self) -> list[Folder]:
        return [
            Folder(name, self.separator, frozenset(self.attributes.get(name, set())))
            for name in self.boxes
        ]

    def status(self, folder: str) -> Opened:
        self._note(f"status {folder}")
        box = self.boxes[folder]
        return Opened(len(box), self.validity, max(box, default=0) + 1)

    def open(self, folder: str) -> Opened:
        self._note(f"open {folder}")
        self.here = self.boxes[folder]
        return self.status(folder)

    def uids(self, exists: int) -> set[int]:
        return set(self.here)

    def facts(self, uids: list[int]) -> dict[int, Facts]:
        self._note(f"facts {uids[0]}")
        return {
            uid: Facts(len(self.here[uid]), ("\\Seen", "\\Recent", "\\Odd", "Work"), 1_000 + uid)
            for uid in uids
            if uid in self.here
        }

    def octets(self, uids: list[int]) -> dict[int, bytes]:
        self._note(f"octets {','.join(map(str, uids))}")
        return {uid: self.here[uid] for uid in uids if uid in self.here}

    def part(self, uid: int, offset: int, length: int) -> bytes:
        self._note(f"part {uid} {offset}")
        return self.here[uid][offset : offset + length]

    def _note(self, request: str) -> None:
        self.asked.append(request)
        self.fails(request)


@pytest.fixture
def elsewhere() -> Elsewhere:
    there = Elsewhere()
    there.boxes["INBOX"] = {uid: b"Subject: %d\r\n\r\nx\r\n" % uid for uid in (3, 5, 9)}
    return there


def source(there: Elsewhere, choice: Choice | None = None) -> ImapSource:
    waits: list[float] = []
    made = ImapSource(
        Login("imap.example.net", 993, "ann", "secret"),
        choice or Choice(),
        lambda line: None,
        connect=there.connect,
        wait=waits.append,
    )
    made.waits = waits  # type: ignore[attr-defined]
    return made


def test_everything(household: Household, elsewhere: Elsewhere) -> None:
    """Flags, dates, keywords, and the UIDs: here nobody knew any other."""
    result = household.take(source(elsewhere))
    assert (result.taken, result.failed) == (3, [])
    assert [(m.uid, m.flags, m.keywords, m.internal_at) for m in household.has("INBOX")] == [
        (uid, SEEN, "Work", 1_000 + uid) for uid in (3, 5, 9)
    ]
    assert household.box("INBOX").uidvalidity == 1_600_000_000
    assert household.box("INBOX").uidnext == 10


def test_the_second_time_only_what_is_new(household: Household, elsewhere: Elsewhere) -> None:
    household.take(source(elsewhere))
    household.put(b"delivered here", account=household.bob)
    elsewhere.boxes["INBOX"][10] = b"Subject: new\r\n\r\n"
    del elsewhere.boxes["INBOX"][3]
    elsewhere.asked = []
    result = household.take(source(elsewhere))
    assert (result.taken, result.known) == (1, 3)
    assert [r for r in elsewhere.asked if r.startswith("octets")] == ["octets 10"]
    assert [m.uid for m in household.has("INBOX")] == [3, 5, 9, 10, 11]


def test_a_connection_that_breaks(household: Household, elsewhere: Elsewhere) -> None:
    """It goes on where it was; each time it waits longer."""
    elsewhere.boxes["INBOX"] = {n: b"Subject: %d\r\n\r\n" % n for n in range(1, 251)}
    broken = iter(["facts 101", "connect", "connect", "octets 201"])
    due = [next(broken)]

    def fails(request: str) -> None:
        if due and (request == due[0] or request.startswith(due[0] + ",")):
            due[:] = [n] if (n := next(broken, None)) else []
            raise Lost("connection reset")

    elsewhere.fails = fails
    from_there = source(elsewhere)
    result = household.take(from_there)
    assert (result.taken, result.failed) == (250, [])
    assert from_there.waits == [1.0, 2.0, 4.0, 1.0]  # type: ignore[attr-defined]
    assert len(household.has("INBOX")) == 250


def test_a_server_that_is_gone(household: Household, elsewhere: Elsewhere) -> None:
    """What has come stays, and the next run brings the rest."""
    elsewhere.boxes["INBOX"] = {n: b"Subject: %d\r\n\r\n" % n for n in range(1, 251)}

    def fails(request: str) -> None:
        if request == "facts 201":
            raise Lost("silence")

    elsewhere.fails = fails
    with pytest.raises(TryLater, match="run the command again"):
        household.take(source(elsewhere))
    assert elsewhere.connections == ATTEMPTS
    assert len(household.has("INBOX")) == 200
    elsewhere.fails = lambda request: None
    assert household.take(source(elsewhere)).taken == 50


def test_a_message_that_cannot_be_had(household: Household, elsewhere: Elsewhere) -> None:
    def fails(request: str) -> None:
        if request.startswith("octets") and "5" in request:
            raise Refused("[SERVERBUG] Cannot read it")

    elsewhere.fails = fails
    result = household.take(source(elsewhere))
    assert result.taken == 2
    assert result.failed == ["INBOX, UID 5: [SERVERBUG] Cannot read it"]


def test_large_messages_come_in_pieces(
    household: Household, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_source, "SIZE", 50)
    elsewhere.boxes["INBOX"] = {1: b"x" * 120, 2: b"y" * 30, 3: b"z" * 30}
    household.take(source(elsewhere))
    assert [m.raw for m in household.has("INBOX")] == [b"x" * 120, b"y" * 30, b"z" * 30]
    parts = [r for r in elsewhere.asked if r.startswith(("part", "octets"))]
    assert parts == ["part 1 0", "part 1 50", "part 1 100", "octets 2", "octets 3"]


def test_uids_that_have_changed(household: Household, elsewhere: Elsewhere) -> None:
    """The folder was made anew there: nothing is doubled."""
    household.take(source(elsewhere))
    elsewhere.validity += 1
    elsewhere.boxes["INBOX"] = dict(enumerate(elsewhere.boxes["INBOX"].values(), 1)) | {
        7: b"Subject: new\r\n\r\n"
    }
    result = household.take(source(elsewhere))
    assert (result.taken, result.known) == (1, 3)


def test_names(household: Household, elsewhere: Elsewhere) -> None:
    """Courier's prefix and dots; special uses go where ours are; others' and virtual folders stay there."""
    elsewhere.prefix, elsewhere.separator = "INBOX.", "."
    elsewhere.others = ["shared."]
    for n, (name, attributes) in enumerate(
        {
            "INBOX.Work.a/b": set[str](),
            "INBOX.Gesendet": {"\\sent", "\\hasnochildren"},
            "INBOX.All": {"\\all"},
            "INBOX.Old": {"\\noselect"},
            "INBOX.Spam.Sub": set(),
            "INBOX.Spam": set(),
            "INBOX.X": set(),
            "shared.bob": set(),
        }.items()
    ):
        elsewhere.boxes[name] = {1: b"Subject: %d\r\n\r\n" % n}
        elsewhere.attributes[name] = attributes
    choice = Choice(leave_out=frozenset({"INBOX.Spam"}), renamed={"INBOX.X": "Other/Name"})
    household.take(source(elsewhere, choice))
    fresh = household.names() - household.names(household.alice)
    assert fresh == {"Work", "Work/a_b", "Other", "Other/Name"}
    assert [m.raw for m in household.has("Sent")] == [b"Subject: 1\r\n\r\n"]
    result = household.take(source(elsewhere, Choice(only=frozenset({"INBOX.All"}))))
    assert (result.mailboxes, result.taken) == (1, 1)
    with pytest.raises(Cannot, match="no folder 'Nowhere'"):
        household.take(source(elsewhere, Choice(only=frozenset({"Nowhere"}))))


def test_a_folder_that_cannot_be_opened(household: Household, elsewhere: Elsewhere) -> None:
    elsewhere.boxes["Secret"] = elsewhere.boxes["Odd"] = {1: b"x"}

    def fails(request: str) -> None:
        if request in ("status Secret", "open Odd"):
            raise Refused("NOPERM")

    elsewhere.fails = fails
    from_there = source(elsewhere)
    assert household.take(from_there).taken == 3
    assert from_there.trouble == ["Odd: NOPERM", "Secret: NOPERM"]


# the real thing


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("there")) as bench:
        yield bench


def login(bench: Bench, password: str = PASSWORD, **fields: Any) -> Login:
    made = Login("localhost", bench.ports["imaps"], "alice@example.test", password)
    return made._replace(authorities=bench.folder / "tls" / "certificate.pem")._replace(**fields)


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
def test_from_our_own_server(household: Household, bench: Bench, tls: str) -> None:
    alice = bench.accounts["alice"]
    raws = [b"Subject: %d\r\n\r\n" % n + b"line\r\n" * n for n in range(600)]
    if not bench.store.read_now(lambda tx: tx.accounts.get(alice).messages):
        with_flags = bench.connect()
        with_flags.line()
        with_flags.command(f"LOGIN alice@example.test {PASSWORD}")
        with_flags.command('CREATE "Entw&APw-rfe/alt"')
        for start in range(0, 600, 100):
            batch = b" (\\Flagged $Work) ".join(
                b"{%d+}\r\n%b" % (len(raw), raw) for raw in raws[start : start + 100]
            )
            with_flags.send(b'a APPEND "Entw&APw-rfe/alt" (\\Flagged $Work) ' + batch + b"\r\n")
            assert b"a OK" in with_flags.until(b"a ")[-1]
    port = bench.ports["imaps" if tls == "implicit" else "imap"]
    from_there = ImapSource(login(bench, tls=tls, port=port), Choice(), household.said.append)
    result = household.take(from_there)
    assert result.failed == from_there.trouble == []
    found = household.has("Entwürfe/alt")
    assert [m.raw for m in found] == raws
    assert {(m.flags, m.keywords) for m in found} == {(FLAGGED, "$Work")}
    assert household.take(from_there).taken == 0
    from_there.close()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"password": "wrong"}, "refused the log-in"),
        ({"authorities": None}, "certificate proves nothing"),
        ({"host": "127.0.0.2"}, "certificate proves nothing"),
        ({"tls": "starttls", "authorities": None}, "certificate proves nothing"),
    ],
)
def test_what_will_never_do(bench: Bench, fields: dict[str, Any], reason: str) -> None:
    there = login(bench, **fields)
    if there.tls == "starttls":
        there = there._replace(port=bench.ports["imap"])
    if there.host == "127.0.0.2":
        there = there._replace(
            host="127.0.0.1", authorities=Path("/etc/ssl/certs/ca-certificates.crt")
        )
    with pytest.raises(Cannot, match=reason):
        Client(there)


def test_nobody_there() -> None:
    with pytest.raises(Lost):
        Client(Login("127.0.0.1", 1, "x", "y"))
