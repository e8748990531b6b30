"""spamtest, spamtestplus and virustest: what filters in front of this server found.

Spec: RFC 5235.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, Check, announce, tag, test
from mailserver.sieve.run import Run

announce("spamtest")
tag("percent", of=("spamtest",), capability="spamtestplus")


@test("spamtest", STRING, takes=("match", "comparator"))
def spamtest(args: Args) -> Check:
    """ "0" of what was not tested, else "1", clear, to "10"; with `:percent` "0" to "100" (RFC 5235 §3.2).

    Of what was not tested, `:count` counts nothing (§3.1).
    """
    if "spamtestplus" not in args.compiler.required:
        args.compiler.need("spamtest", '"spamtest"', args.at)
    match, is_percent, counts = matcher(args, args.texts(0)), args.has("percent"), args.has("count")

    def check(run: Run) -> bool:
        score = run.environment.scores.spam(run.message)
        if score is None:
            return match(run, () if counts else ("0",))
        return match(run, (str(int(score * 100 + 0.5) if is_percent else int(score * 9 + 1)),))

    return check


@test("virustest", STRING, takes=("match", "comparator"), capability="virustest")
def virustest(args: Args) -> Check:
    """ "0" of what was not tested, "1" of what is clean, to "5" (RFC 5235 §3.3)."""
    match, counts = matcher(args, args.texts(0)), args.has("count")

    def check(run: Run) -> bool:
        verdict = run.environment.scores.virus(run.message)
        return match(run, () if counts and not verdict else (str(verdict),))

    return check
