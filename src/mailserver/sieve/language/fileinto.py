"""fileinto: into a mailbox.

Spec: RFC 5228 §4.1; RFC 3894 §3; RFC 5232 §5; RFC 5490 §3.2; RFC 8579 §4; RFC 9042 §3.  Status: complete.
"""

from mailserver.sieve.actions import FileInto
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.registry import STRING, Step, command
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of
from mailserver.sieve.tagged import flags


@command("fileinto", STRING, takes=("flags", "copy"), capability="fileinto")
def fileinto(args: Args) -> Step:
    """Into the mailbox with this name; what becomes of a name that is not there, the delivery decides."""
    name, wanted, line = args.text(0), flags(args), args.line
    copies, creates = args.has("copy"), args.has("create")
    use, id_ = args.tag_text("specialuse"), args.tag_text("mailboxid")

    def run_fileinto(run: Run) -> None:
        mailbox = value_of(name, run)
        if not mailbox or len(mailbox) > 1_000 or any(char < " " for char in mailbox):
            raise RunError(f"{mailbox[:100]!r} is no name of a mailbox", line)
        if not copies:
            run.keeps = False
        run.do(
            FileInto(
                mailbox=mailbox,
                flags=wanted(run),
                creates=creates,
                special_use="" if use is None else value_of(use, run),
                mailbox_id="" if id_ is None else value_of(id_, run),
                line=line,
                edited=run.message.edited(),
            )
        )

    return run_fileinto
