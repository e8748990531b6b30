"""The log's lines: an event, bound fields, fields of the moment; nothing is rendered when nobody listens."""

import logging

from mailserver.base.log import FIELDS, Log


def test_bound_fields_are_on_every_line(caplog):
    log = Log("smtp", session="k3v9").bind(peer="192.0.2.1")
    with caplog.at_level(logging.DEBUG, "mailserver"):
        log.debug("greeted")
        log.info("accepted", size=4096)
        log.warning("slow", seconds=3)
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("mailserver.smtp", "DEBUG", "greeted"),
        ("mailserver.smtp", "INFO", "accepted"),
        ("mailserver.smtp", "WARNING", "slow"),
    ]
    bound = {"session": "k3v9", "peer": "192.0.2.1"}
    assert [getattr(r, FIELDS) for r in caplog.records] == [
        bound,
        {**bound, "size": 4096},
        {**bound, "seconds": 3},
    ]


def test_a_field_of_the_moment_stands_above_a_bound_one(caplog):
    with caplog.at_level(logging.INFO, "mailserver"):
        Log("imap", user="a").info("logged in", user="b")
    assert getattr(caplog.records[0], FIELDS) == {"user": "b"}


def test_an_error_brings_its_traceback(caplog):
    with caplog.at_level(logging.ERROR, "mailserver"):
        try:
            raise ValueError("odd")
        except ValueError as error:
            Log("store").error("failed", error=error, job="copy")
    record = caplog.records[0]
    assert record.exc_info
    assert record.exc_info[0] is ValueError
    assert getattr(record, FIELDS) == {"job": "copy"}


def test_what_is_below_the_level_makes_no_record(caplog):
    with caplog.at_level(logging.WARNING, "mailserver"):
        Log("store").info("batch", jobs=3)
    assert caplog.records == []
