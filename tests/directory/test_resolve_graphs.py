"""Whatever people lead to whatever: looking an address up ends, names everybody once, and loses no mail."""

from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailserver.directory import accounts
from mailserver.directory.addresses import parse
from mailserver.directory.resolve import Found, Nobody, resolve
from mailserver.store.store import Store
from mailserver.store.tx import Write

NAMES = [f"n{i}" for i in range(6)]
ENDS = [*(f"{name}@example.test" for name in NAMES), "x@elsewhere.test", "y@elsewhere.test"]

#: what a name is: nobody, an account that is on or off and its forward, or an alias
NODES = st.one_of(
    st.none(),
    st.tuples(
        st.just("account"),
        st.booleans(),
        st.booleans(),
        st.lists(st.sampled_from(ENDS), max_size=3),
    ),
    st.tuples(
        st.just("alias"),
        st.just(True),
        st.just(True),
        st.lists(st.sampled_from(ENDS), min_size=1, max_size=3),
    ),
)
Graph = dict[str, tuple[str, bool, bool, list[str]] | None]


class Undo(Exception):
    """Nothing of the job stays."""


def build(tx: Write, graph: Graph) -> None:
    domain = tx.domains.by_name("example.test").id
    for name, node in graph.items():
        if node is None:
            continue
        kind, is_on, keeps, to = node
        if kind == "alias":
            tx.aliases.add(domain, name, to)
            continue
        account = tx.accounts.add(domain, name, "hash")
        tx.forwards.set(account.id, to, keeps_copy=keeps)
        tx.accounts.set(account.id, is_active=is_on)


def reachable(graph: Graph, start: str) -> tuple[set[str], set[str]]:
    """Accounts that are on, and addresses elsewhere, to which some way leads from *start*."""
    here: set[str] = set()
    away: set[str] = set()
    waiting, seen = [start], {start}
    while waiting:
        at = waiting.pop()
        name, _, domain = at.partition("@")
        if domain != "example.test":
            away.add(at)
            continue
        node = graph.get(name)
        if node is None or not node[1]:
            continue
        if node[0] == "account":
            here.add(at)
        fresh = [to for to in node[3] if to not in seen]
        seen.update(fresh)
        waiting += fresh
    return here, away


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, NODES)))
def test_graphs(store: Store, graph: Graph) -> None:
    def job(tx: Write) -> None:
        build(tx, graph)
        for name, node in graph.items():
            start = f"{name}@example.test"
            found = resolve(tx, parse(start), "mail.example.test")
            here, away = reachable(graph, start)
            if isinstance(found, Nobody):
                assert not here, "mail was lost that somebody could have had"
                assert not away
                continue
            assert node is not None
            check(found, here, away)
            for address in here:
                account = accounts.at(tx, parse(address))
                keeps = tx.forwards.of(account.id).keeps_copy
                assert not keeps or account in found.accounts, "who keeps a copy gets it"
        raise Undo

    with suppress(Undo):
        store.write_now(job)


def check(found: Found, here: set[str], away: set[str]) -> None:
    kept = [account.address for account in found.accounts]
    passing = [account.address for account in found.passing]
    assert len(set(kept + passing)) == len(kept + passing), "each once"
    assert set(kept + passing) <= here
    assert {str(one.address) for one in found.away} == away
    assert len(found.away) == len(away)
    assert kept or away
    for one in found.away:
        assert one.by.domain == "example.test"
