"""mbsync mirrors an account with more than 1,000 real messages both ways, byte by byte (isync 1.4)."""

import re
import ssl
from collections import Counter
from pathlib import Path

import pytest

from outside.corpus import Sample
from outside.mail import fill, message
from outside.programs import run
from outside.server import Account, Server
from outside.wire import Imap

pytestmark = pytest.mark.needs("mbsync")

FLAGS = ("", "\\Seen", "\\Seen \\Answered", "\\Flagged", "\\Draft \\Seen")
LETTERS = {b"\\Seen": "S", b"\\Answered": "R", b"\\Flagged": "F", b"\\Draft": "D"}
BOXES = {"INBOX": 400, "Lists/test one": 300, "Entw&APw-rfe": 0}
TUID = re.compile(rb"(?m)^X-TUID: [^\r\n]*\r\n")  # mbsync's own mark, on messages it has carried

Box = Counter[tuple[bytes, str]]  # (message with CRLF, Maildir letters), how often


def write_settings(home: Path, server: Server, account: Account, tls: bool) -> None:
    host, secure = server.host, "SSLType None"
    if tls:
        (home / "cert.pem").write_text(
            ssl.get_server_certificate((server.host, server.ports["imaps"]))
        )
        host, secure = "localhost", f"SSLType IMAPS\nCertificateFile {home}/cert.pem"
    port = server.ports["imaps" if tls else "imap"]
    (home / "mbsyncrc").write_text(
        f"IMAPAccount one\nHost {host}\nPort {port}\nUser {account.address}\nPass {account.password!r}\n{secure}\n\n"
        f"IMAPStore far\nAccount one\n\n"
        f"MaildirStore near\nPath {home}/mail/\nInbox {home}/mail/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n"
        "CopyArrivalDate yes\n".replace("'", '"')
    )
    text = (home / "mbsyncrc").read_text().replace(repr(account.password), f'"{account.password}"')
    (home / "mbsyncrc").write_text(text)
    (home / "mail").mkdir()


def sync(home: Path) -> None:
    run(home, "mbsync", "-c", home / "mbsyncrc", "-a", limit_s=240)


def mirrored(home: Path) -> dict[str, Box]:
    """What lies in a mirror, mailbox by mailbox."""
    boxes: dict[str, Box] = {}
    for cur in sorted((home / "mail").rglob("cur")):
        box: Box = Counter()
        for path in [*cur.iterdir(), *(cur.parent / "new").iterdir()]:
            raw = TUID.sub(b"", path.read_bytes().replace(b"\n", b"\r\n"), count=1)
            box[raw, "".join(sorted(path.name.partition(":2,")[2]))] += 1
        boxes[str(cur.parent.relative_to(home / "mail"))] = box
    return boxes


def served(server: Server, account: Account) -> dict[str, Box]:
    """What the server says it has, by plain FETCH."""
    boxes: dict[str, Box] = {}
    with Imap(server, account, timeout_s=120) as imap:
        for line in imap.ok('LIST "" *').untagged:
            match = re.search(rb'"([^"]*)"$|(\S+)$', line)
            assert match is not None
            if re.search(rb"\\(Noselect|NonExistent)", line, re.I):
                continue
            name = (match.group(1) or match.group(2)).decode()
            imap.ok(f'EXAMINE "{name}"')
            box: Box = Counter()
            for values in imap.fetch("1:*", "(FLAGS BODY.PEEK[])").values():
                flags = "".join(sorted(LETTERS[f] for f in values[b"FLAGS"] if f in LETTERS))  # type: ignore[attr-defined]
                box[TUID.sub(b"", values[b"BODY[]"], count=1), flags] += 1  # type: ignore[arg-type]
            boxes[name] = box
    return boxes


def difference(one: dict[str, Box], two: dict[str, Box]) -> str:
    """ "" when the same, else what is in one only, shortened."""
    lines = [] if set(one) == set(two) else [f"mailboxes {sorted(one)} and {sorted(two)}"]
    for name in sorted(set(one) & set(two)):
        for label, box in (
            ("first only", one[name] - two[name]),
            ("second only", two[name] - one[name]),
        ):
            lines += [
                f"{name}: {label}: {n} x {raw[:300]!r} {letters}"
                for (raw, letters), n in list(box.items())[:3]
            ]
    return "\n".join(lines)


def test_a_thousand_messages_both_ways(
    server: Server, account: Account, samples: list[Sample], tmp_path: Path
) -> None:
    clean = [s for s in samples if s.is_clean]
    assert len(clean) >= 1000
    with Imap(server, account) as imap:
        start = 0
        for name, count in BOXES.items():
            end = start + count if count else len(clean)
            fill(imap, name, clean[start:end], FLAGS)
            start = end

    one, two = tmp_path / "one", tmp_path / "two"
    for home, tls in ((one, False), (two, True)):
        home.mkdir()
        write_settings(home, server, account, tls)
    sync(one)
    first = mirrored(one)
    assert sum(box.total() for box in first.values()) == len(clean)
    assert difference(first, served(server, account)) == ""
    originals = Counter(s.raw for s in clean)
    assert originals == sum(
        (Counter({raw: n for (raw, _), n in b.items()}) for b in first.values()), Counter()
    )

    change(one)
    changed = mirrored(one)
    assert changed != first
    sync(one)
    expunged = {name: drop_deleted(box) for name, box in changed.items()}
    assert difference(mirrored(one), expunged) == ""
    assert difference(served(server, account), expunged) == ""
    sync(two)
    assert difference(mirrored(two), expunged) == ""

    with Imap(
        server, account
    ) as imap:  # and back again: changed on the server, seen in both mirrors
        imap.select("INBOX")
        imap.ok("STORE 1:50 +FLAGS.SILENT (\\Flagged \\Seen)")
        imap.ok("STORE 51:80 +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.append("INBOX", message("appended at last"), "\\Draft")
    sync(one)
    sync(two)
    assert difference(mirrored(one), served(server, account)) == ""
    assert difference(mirrored(two), mirrored(one)) == ""


def change(home: Path) -> None:
    """What a person does in a local mail program: reads, deletes, moves, writes, makes a mailbox."""
    files = sorted((home / "mail/INBOX/cur").iterdir(), key=lambda p: p.name)
    for path in files[:100]:
        relabel(path, add="FS")
    for path in files[100:120]:
        relabel(path, add="T")
    for path in files[120:140]:
        relabel(path, remove="S")
    new = home / "mail/New mailbox"
    for part in ("cur", "new", "tmp"):
        (new / part).mkdir(parents=True)
    for n in range(30):
        raw = message(f"written here {n}", "Hello.\r\n" * n).replace(b"\r\n", b"\n")
        (new / "cur" / f"1700000000.{n}.here:2,S").write_bytes(raw)
        (home / "mail/INBOX/cur" / f"1700000001.{n}.here:2,").write_bytes(raw)


def relabel(path: Path, add: str = "", remove: str = "") -> None:
    stem, _, letters = path.name.partition(":2,")
    wanted = "".join(sorted((set(letters) | set(add)) - set(remove)))
    path.rename(path.with_name(f"{stem}:2,{wanted}"))


def drop_deleted(box: Box) -> Box:
    return Counter({key: n for key, n in box.items() if "T" not in key[1]})
