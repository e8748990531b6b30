"""Who is told of what."""

from mailserver.net.interests import Interests
from mailserver.servers.hub import Hub
from mailserver.store.values import Changes


def changes(*mailboxes, directory=False):
    return Changes(frozenset((1, n) for n in mailboxes), frozenset({1}), directory)


def test_only_those_who_watch_a_mailbox_are_told():
    hub, told = Hub(), []
    wakes = {name: (lambda name=name: told.append(name)) for name in ("a", "b", "c")}
    hub.watch(1, wakes["a"])
    hub.watch(1, wakes["b"])
    hub.watch(2, wakes["c"])
    hub.changed(changes(1))
    assert sorted(told) == ["a", "b"]
    hub.unwatch(1, wakes["a"])
    hub.unwatch(1, wakes["a"])
    hub.unwatch(9, wakes["a"])
    told.clear()
    hub.changed(changes(1, 2))
    assert sorted(told) == ["b", "c"]


def test_nothing_is_kept_of_those_who_left():
    hub = Hub()
    hub.watch(1, print)
    hub.unwatch(1, print)
    assert hub._mailboxes == {}


def test_directory():
    hub, told = Hub(), []
    wake = lambda: told.append(1)  # noqa: E731  # the same object twice
    hub.watch_directory(wake)
    hub.changed(changes(5))
    assert told == []
    hub.changed(changes(directory=True))
    assert told == [1]
    hub.unwatch_directory(wake)
    hub.unwatch_directory(wake)
    hub.changed(changes(directory=True))
    assert told == [1]


def test_who_leaves_while_being_told_does_no_harm():
    hub, told = Hub(), []

    def once():
        told.append("once")
        hub.unwatch(1, once)
        hub.watch(1, again)

    def again():
        told.append("again")

    hub.watch(1, once)
    hub.changed(changes(1))
    hub.changed(changes(1))
    assert told == ["once", "again"]


def test_queue():
    hub, told = Hub(), []
    wake = lambda: told.append(1)  # noqa: E731  # the same object twice
    hub.watch_queue(wake)
    hub.changed(changes(5, directory=True))
    assert told == []
    hub.changed(Changes(queue=True))
    assert told == [1]
    hub.unwatch_queue(wake)
    hub.unwatch_queue(wake)
    hub.changed(Changes(queue=True))
    assert told == [1]


def test_others_see_what_is_watched_here():
    table = Interests(1)
    hub, wake, other = Hub(table.row(0)), lambda: None, lambda: None
    news = changes(3)

    def does(watch, unwatch, news, *key):
        assert not table.wants(0, news)
        for call in (wake, other, wake):
            watch(*key, call)
        unwatch(*key, wake)
        assert table.wants(0, news)
        for _ in range(2):
            unwatch(*key, other)
            assert not table.wants(0, news)

    does(hub.watch, hub.unwatch, news, 3)
    does(hub.watch_account, hub.unwatch_account, news, 1)
    does(hub.watch_queue, hub.unwatch_queue, Changes(queue=True))
