"""An aggregate report as it comes from strangers, in the form of RFC 9990 or of RFC 7489, within bounds.

Spec: RFC 9990 §3.1, §8.1; RFC 7489 appendix C.  Status: complete.

Names count, namespaces do not; elements nobody knows are skipped, so extensions do no harm.  Document types are
refused: there are no entities.  Records become values as they end: only one of them is held as a tree.
"""

from ipaddress import ip_address
from typing import NamedTuple
from xml.parsers import expat

from mailserver.base.errors import PeerError
from mailserver.mailauth.reports.values import (
    NAME,
    SELECTOR,
    SIGNATURES,
    TEXT,
    Aggregate,
    Counted,
    DkimSeen,
    Published,
    Reason,
    Row,
    SpfSeen,
)

DEPTH = 20  #: elements in elements
ELEMENTS = 2_000  #: of one record, and of all that is no record together
USUAL = (
    25  #: elements that a record has; of so many times the records allowed a document may consist
)
VALUE = 4_000  #: characters of one element's text; the rest is cut off
_LATEST = 253_402_300_799  # the year 9999
_MOST = 2**63 - 1
#: what others write for the results there are
_SAME = {
    "hardfail": "fail",
    "error": "permerror",
    "unknown": "temperror",
    "temp_error": "temperror",
    "perm_error": "permerror",
}
_RESULTS = frozenset(
    ["none", "pass", "fail", "softfail", "policy", "neutral", "temperror", "permerror"]
)
_POLICIES = frozenset({"none", "quarantine", "reject"})
_REASONS = frozenset(
    [
        "forwarded",
        "sampled_out",
        "trusted_forwarder",
        "mailing_list",
        "local_policy",
        "policy_test_mode",
        "other",
    ]
)


class Bounds(NamedTuple):
    """Of one report."""

    records: int = 20_000
    size: int = 16_777_216  # octets of the document


class Node:
    """An element, its text and those in it."""

    __slots__ = ("children", "name", "size", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[Node] = []
        self.text: list[str] = []
        self.size = 0

    def find(self, *path: str) -> "Node | None":
        """The first element there; None if there is none."""
        node: Node | None = self
        for name in path:
            if node is None:
                return None
            node = next((child for child in node.children if child.name == name), None)
        return node

    def all(self, name: str) -> "list[Node]":
        """The elements of that name in it."""
        return [child for child in self.children if child.name == name]

    def value(self, *path: str) -> str:
        """The text there without white space around it; "" if there is no such element."""
        node = self.find(*path)
        return "" if node is None else "".join(node.text).strip()


def read(document: bytes, bounds: Bounds = Bounds()) -> Aggregate:  # noqa: B008 - it is a constant
    """The report; raises PeerError with the reason where it is none."""
    if len(document) > bounds.size:
        raise PeerError("the report is too large")
    reader = _Reader(bounds)
    reader.feed(document)
    return _report(reader.root, reader.records)


class _Reader:
    """Expat's events become nodes, records become values."""

    def __init__(self, bounds: Bounds) -> None:
        self.root: Node | None = None
        self.records: dict[Row, int] = {}
        self._bounds = bounds
        self._seen = 0
        self._all = 0
        self._stack: list[Node] = []
        self._elements = 0
        self._others = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def feed(self, document: bytes) -> None:
        start = len(document) - len(document.lstrip(b" \t\r\n"))  # seen before the declaration
        try:
            # at once: in pieces, Expat before 2.6 would look at a long token from its start with each of them
            self._parser.Parse(document[start:], True)
        except expat.ExpatError as error:
            raise PeerError(f"no well-formed XML: {error}") from error
        except (LookupError, ValueError) as error:  # an encoding that Python does not know
            raise PeerError(f"no XML that can be read: {error}") from error

    def _doctype(self, *_: object) -> None:
        raise PeerError("a report with a document type")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._elements += 1
        self._all += 1
        if len(self._stack) >= DEPTH:
            raise PeerError("elements nested too deep")
        node = Node(name.rpartition(" ")[2])
        if not self._stack:
            if node.name != "feedback":
                raise PeerError("no DMARC report: its root is not <feedback>")
            self.root = node
        elif len(self._stack) == 1 and node.name == "record":
            self._others, self._elements = self._elements, 0
        else:
            self._stack[-1].children.append(node)
        if self._elements > ELEMENTS or self._all > ELEMENTS + USUAL * self._bounds.records:
            raise PeerError("too many elements")
        self._stack.append(node)

    def _end(self, _: str) -> None:
        node = self._stack.pop()
        if len(self._stack) == 1 and node.name == "record":
            self._elements = self._others
            self._seen += 1
            if self._seen > self._bounds.records:
                raise PeerError(f"more than {self._bounds.records} records")
            row, count = _record(node)
            self.records[row] = min(self.records.get(row, 0) + count, _MOST)

    def _characters(self, text: str) -> None:
        node = self._stack[-1]
        if node.size < VALUE:
            node.text.append(text[: VALUE - node.size])
            node.size += len(text)


def _report(root: Node | None, records: dict[Row, int]) -> Aggregate:
    if root is None or (head := root.find("report_metadata")) is None:
        raise PeerError("no <report_metadata>")
    policy = root.find("policy_published")
    if policy is None or not policy.value("domain"):
        raise PeerError("no <policy_published> with a domain")
    if not records:
        raise PeerError("a report without a record")
    begin, end = (_number(head.value("date_range", name), _LATEST) for name in ("begin", "end"))
    if end < begin:
        raise PeerError("its period ends before it begins")
    errors = tuple(filter(None, (_line("".join(e.text).strip(), TEXT) for e in head.all("error"))))
    return Aggregate(
        org=_line(head.value("org_name"), TEXT),
        email=_line(head.value("email"), 320),
        report_id=_line(head.value("report_id"), TEXT),
        begin=begin,
        end=end,
        published=_published(policy),
        records=tuple(Counted(row, count) for row, count in records.items()),
        contact=_line(head.value("extra_contact_info"), TEXT),
        errors=errors[:10],
        generator=_line(head.value("generator"), TEXT),
    )


def _published(policy: Node) -> Published:
    percent = policy.value("pct")
    return Published(
        domain=_domain(policy.value("domain")),
        p=_word(policy.value("p"), _POLICIES, "none"),
        sp=_word(policy.value("sp"), _POLICIES, ""),
        np=_word(policy.value("np"), _POLICIES, ""),
        adkim="s" if policy.value("adkim").lower().startswith("s") else "r",
        aspf="s" if policy.value("aspf").lower().startswith("s") else "r",
        fo=_line(policy.value("fo"), 20),
        is_testing=policy.value("testing").lower() == "y",
        discovery=_word(policy.value("discovery_method"), frozenset({"psl", "treewalk"}), ""),
        percent=int(percent)
        if percent.isascii() and percent.isdigit() and len(percent) < 4
        else None,
    )


def _record(node: Node) -> tuple[Row, int]:
    """Raises PeerError without an address or a count, for then it says nothing."""
    row, names = node.find("row"), node.find("identifiers") or Node("identifiers")
    evaluated = None if row is None else row.find("policy_evaluated")
    if row is None or evaluated is None:
        raise PeerError("a record without its row")
    address = row.value("source_ip")
    try:
        source = str(ip_address(address))
    except ValueError as error:
        raise PeerError("a record whose source is no address") from error
    if "%" in address:  # a zone (RFC 4007 §11) may be any text, and means nothing elsewhere
        raise PeerError("a record whose source is an address of somebody's own link")
    results = node.find("auth_results") or Node("auth_results")
    reasons = [
        Reason(_word(one.value("type"), _REASONS, "other"), _line(one.value("comment"), TEXT))
        for one in evaluated.all("reason")[:SIGNATURES]
    ]
    sender = names.find("envelope_from")
    found = Row(
        source=source,
        header_from=_domain(names.value("header_from")),
        envelope_from=None if sender is None else _domain(names.value("envelope_from")),
        disposition=_word(evaluated.value("disposition"), _POLICIES | {"pass"}, "none"),
        is_dkim_aligned=evaluated.value("dkim").lower() == "pass",
        is_spf_aligned=evaluated.value("spf").lower() == "pass",
        envelope_to=_domain(names.value("envelope_to")),
        reasons=tuple(reasons),
        dkim=tuple(_dkim(one) for one in results.all("dkim")[:SIGNATURES]),
        spf=tuple(_spf(one) for one in results.all("spf")[:10]),
    )
    return found, _number(row.value("count"), _MOST)


def _dkim(node: Node) -> DkimSeen:
    return DkimSeen(
        _domain(node.value("domain")),
        _line(node.value("selector"), SELECTOR),
        _result(node.value("result")),
        _line(node.value("human_result"), TEXT),
    )


def _spf(node: Node) -> SpfSeen:
    scope = "helo" if node.value("scope").lower() == "helo" else "mfrom"
    return SpfSeen(
        _domain(node.value("domain")),
        _result(node.value("result")),
        scope,
        _line(node.value("human_result"), TEXT),
    )


def _result(text: str) -> str:
    word = text.lower()
    return _word(_SAME.get(word, word), _RESULTS, "none")


def _word(text: str, known: frozenset[str], otherwise: str) -> str:
    word = text.lower()
    return word if word in known else otherwise


def _domain(text: str) -> str:
    return _line(text.lower().rstrip("."), NAME)


def _line(text: str, most: int) -> str:
    """*text* for one line of a table: no controls, no more than *most* characters."""
    return "".join(c if c.isprintable() else " " for c in text[:most])


def _number(text: str, most: int) -> int:
    """Raises PeerError; a fraction, which some write, is cut off."""
    digits = text.partition(".")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) <= most):
        raise PeerError("a count or a time that is no number")
    return int(digits)
