"""The command table, printed for review."""

from collections.abc import Callable

from mailserver.smtp import replies
from mailserver.smtp.commands import COMMANDS, table
from mailserver.smtp.reply import Reply
from mailserver.smtp.server import HANDLERS


def test_the_table_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    golden("smtp_commands.txt", table())


def test_the_replies_are_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    known = {name: r for name, r in vars(replies).items() if isinstance(r, Reply)}
    golden("smtp_replies.txt", "".join(f"{name:26}  {reply}\n" for name, reply in known.items()))


def test_enhanced_codes_agree_with_their_replies() -> None:
    """RFC 2034 §4: the class is the reply's first digit, and 3xx has none."""
    for reply in (r for r in vars(replies).values() if isinstance(r, Reply)):
        assert reply.status[:1] == ("" if reply.code == 354 else str(reply.code)[0]), reply
        assert len(bytes(reply)) <= 512, "RFC 5321 §4.5.3.1.5"
        assert reply.text.isascii()


def test_every_command_that_is_implemented_has_a_handler() -> None:
    assert {*HANDLERS, "BDAT"} == {verb for verb, c in COMMANDS.items() if c.implemented}
