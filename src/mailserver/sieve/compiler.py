"""From a script's text to what runs: names looked up, arguments checked, everything that can be known known.

Spec: RFC 5228 §2.10.5, §2.10.6, §3.2.  Status: complete.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence

from mailserver.base.limits import SieveLimits
from mailserver.sieve import registry, strings
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import Place, ScriptError
from mailserver.sieve.lexer import Source
from mailserver.sieve.program import Program
from mailserver.sieve.registry import COMMANDS, TESTS, Check, CommandRow, Step, TestRow
from mailserver.sieve.run import Loop, Run
from mailserver.sieve.skipping import Known
from mailserver.sieve.strings import Text
from mailserver.sieve.syntax import Command, Str, Test, parse

#: gives the text of an included script: (":personal" or ":global", name) -> octets, None where there is none
Loader = Callable[[str, str], bytes | None]


def compile_script(
    script: bytes,
    limits: SieveLimits,
    *,
    available: Iterable[str] | None = None,
    load: Loader = lambda location, name: None,
    traced: bool = False,
) -> Program:
    """The program that *script* is.  Raises ScriptError.

    available: the capabilities that may be required, None for all that there are.
    traced:    each run tells in `Run.trace` what every test said; slower.
    """
    registry.load()
    shared = Shared(limits, available, load, traced)
    compiler = Compiler(shared, script)
    main = compiler.script()
    needs = compiler.known.of(main)
    return Program(main, frozenset(shared.required), tuple(shared.warnings), needs)


def never(run: Run) -> bool:
    """A test that is known to be false; what depends on it is not compiled (RFC 5463 §4)."""
    return False


class Shared:
    """What a script and those it includes have in common while they are compiled."""

    def __init__(
        self, limits: SieveLimits, available: Iterable[str] | None, load: Loader, traced: bool
    ) -> None:
        self.limits, self.load, self.traced = limits, load, traced
        self.available = frozenset(registry.CAPABILITIES if available is None else available)
        self.required: set[str] = set()
        self.warnings: list[str] = []
        self.included: dict[tuple[str, str], Step] = {}
        self.including: list[tuple[str, str]] = []


class Compiler:
    """Compiles one script.

    required: what it has required so far; `ihave` adds to it, too.
    known:    what its tests and commands need.
    """

    def __init__(self, shared: Shared, script: bytes, name: str = "") -> None:
        self.shared, self.limits = shared, shared.limits
        if len(script) > self.limits.script_size:
            text = f"the script has more than {self.limits.script_size} octets"
            raise ScriptError(Place(1, 1), text, name)
        self.source = Source(script, name)
        self.required: set[str] = set()
        self.has_begun = False  # a command other than `require` has come
        self.known = Known()
        self.loops: list[Loop] = []  # blocks of `foreverypart` around what is compiled now

    def script(self) -> Step:
        """The whole of it as one step.  Raises ScriptError."""
        return self.block(parse(self.source, self.limits))

    def warn(self, at: int, text: str) -> None:
        """Tell the author of something that is allowed."""
        if len(self.shared.warnings) < 100:
            self.shared.warnings.append(f"{self.source.place(at)}: {text}")

    # capabilities

    def require(self, name: str, at: int) -> None:
        """The script wants *name* from here on.  Raises ScriptError if there is no such thing."""
        if name not in self.shared.available and name not in _BUILT_IN:
            near = _nearest(name, self.shared.available)
            raise self.source.error(at, f'there is no extension "{name}"{near}')
        self.required.add(name)
        self.shared.required.add(name)

    def knows(self, name: str) -> bool:
        """Whether *name* could be required."""
        return name in self.shared.available or name in _BUILT_IN

    def need(self, capability: str, what: str, at: int) -> None:
        """Raises ScriptError unless *capability*, "" for none, was required; *what* needs it."""
        if capability and capability not in self.required:
            raise self.source.error(at, f'{what} needs  require "{capability}";  at the beginning')

    # commands and tests

    def block(self, commands: Sequence[Command]) -> Step:
        """*commands* one after the other."""
        steps: list[Step] = []
        at = 0
        while at < len(commands):
            end = at + 1
            while end < len(commands) and _goes_on(commands[end - 1], commands[end]):
                end += 1
            steps.append(self._chain(commands[at:end]))
            at = end
        return self.known.sequence(steps)

    def _chain(self, commands: Sequence[Command]) -> Step:
        """One command, or an `if` with all that belongs to it, in their order, so that `require` and `ihave` work."""
        rows = [self._command_row(command) for command in commands]
        if rows[0].after:
            raise self.source.error(
                commands[0].at, f'"{commands[0].name}" must follow the block of an "if"'
            )
        if commands[0].name != "require":
            self.has_begun = True
        links = [
            row.compile(Args(self, row, node)) for row, node in zip(rows, commands, strict=True)
        ]
        if len(links) == 1:
            return links[0]
        chain = _first_taken(links)
        self.known.note_command(chain, links)
        return chain

    def _command_row(self, command: Command) -> CommandRow:
        row = COMMANDS.get(command.name)
        if row is None:
            if command.name in TESTS:
                text = f'"{command.name}" is a test: it stands behind "if", "elsif", "not"'
            else:
                text = f'there is no command "{command.name}"{_nearest(command.name, COMMANDS)}'
            raise self.source.error(command.at, text)
        self.need(row.capability, f'"{row.name}"', command.at)
        return row

    def test(self, node: Test) -> Check:
        """The test *node*."""
        row = self._test_row(node)
        check = row.compile(Args(self, row, node))
        if self.shared.traced and check is not never:
            return _traced(check, node.name, self.source.line(node.at))
        return check

    def _test_row(self, node: Test) -> TestRow:
        row = TESTS.get(node.name)
        if row is None:
            if node.name in COMMANDS:
                text = f'"{node.name}" is a command, a test should stand here'
            else:
                text = f'there is no test "{node.name}"{_nearest(node.name, TESTS)}'
            raise self.source.error(node.at, text)
        self.need(row.capability, f'"{row.name}"', node.at)
        return row

    def text(self, value: Str) -> Text:
        """The string as it is to be understood here."""
        try:
            return strings.read(
                value.value,
                encoded="encoded-character" in self.required,
                variables="variables" in self.required,
            )
        except strings.UnknownNamespace as error:
            raise self.source.error(value.at, f'there are no variables "{error}."') from None
        except strings.BadCharacter as error:
            raise self.source.error(value.at, str(error)) from None


_BUILT_IN = frozenset({"comparator-i;octet", "comparator-i;ascii-casemap"})  # RFC 5228 §2.7.3


def _goes_on(command: Command, following: Command) -> bool:
    row = COMMANDS.get(following.name)
    return row is not None and command.name in row.after


def _first_taken(links: list[Step]) -> Step:
    """`if` and what follows it: each link says in `Run.is_taken` whether its test was true."""
    every = tuple(links)

    def run_first(run: Run) -> None:
        for link in every:
            link(run)
            if run.is_taken:
                return

    return run_first


def _traced(check: Check, name: str, line: int) -> Check:
    def told(run: Run) -> bool:
        run.matched = ("", "")
        result = check(run)
        run.tell(line, name, result)
        return result

    return told


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), 1)
    return f', did you mean "{found[0]}"?' if found else ""
