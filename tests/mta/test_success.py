"""Who hears of success at once, and in which words."""

import pytest

from mailserver.base.ids import AccountId, MailboxId
from mailserver.directory.addresses import parse
from mailserver.mta.notice import Kind
from mailserver.mta.route import Remote, Route, Target
from mailserver.mta.success import news
from mailserver.smtp.events import Recipient

NOW = 1_800_000_000
HERE = Target(AccountId(1), MailboxId(1), None, 0, 100)
OURS = parse("away@example.test")
AWAY = Remote(parse("x@elsewhere.test"), OURS)
NAMED = Remote(parse("x@elsewhere.test"))


@pytest.mark.rfc(3461, "5.2.2", "5.2.7.2", "5.2.7.3")
@pytest.mark.parametrize(
    ("route", "kind"),
    [
        (Route((HERE,)), Kind.DELIVERED),
        (Route((HERE, HERE)), Kind.DELIVERED),
        (Route((), (AWAY,)), Kind.RELAYED),
        (Route((HERE,), (AWAY,)), Kind.EXPANDED),
        (Route((), (AWAY, AWAY)), Kind.EXPANDED),
        (Route((), (NAMED,)), None),
    ],
)
def test_kinds(route: Route, kind: Kind | None) -> None:
    said = Recipient(OURS, "SUCCESS,FAILURE", "rfc822;x@y")
    found = news([(said, route)], NOW)
    assert [k for k, _ in found] == ([kind] if kind else [])
    for _, told in found:
        assert [(r.address, r.original, r.status, r.at) for r in told] == [
            ("away@example.test", "rfc822;x@y", "2.1.5", NOW)
        ]


@pytest.mark.rfc(3461, "4.1", "5.2.3")
@pytest.mark.parametrize("notify", ["", "NEVER", "FAILURE", "FAILURE,DELAY"])
def test_nobody_is_told_who_did_not_ask(notify: str) -> None:
    assert news([(Recipient(OURS, notify), Route((HERE,)))], NOW) == []


def test_one_notice_for_each_kind() -> None:
    asked = Recipient(OURS, "SUCCESS")
    mixed = [(asked, Route((HERE,))), (asked, Route((), (AWAY,))), (asked, Route((HERE,)))]
    assert [(kind, len(told)) for kind, told in news(mixed, NOW)] == [
        (Kind.DELIVERED, 2),
        (Kind.RELAYED, 1),
    ]
