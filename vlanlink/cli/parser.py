"""The command line: verbs, their options and help, and suggestions for typing errors."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final, NoReturn

import vlanlink
from vlanlink.cli import debug, output
from vlanlink.cli.terminal import width
from vlanlink.cli.verbs import UNLOGGED, VERBS, module

DESCRIPTION: Final = (
    "VLAN, macvlan and ipvlan networks from a TOML topology: planned, applied, verified, undone."
)
EPILOG: Final = """\
FILE ends in .toml, contains a /, or is - (standard input); anything else is the NAME of a topology.
`vlanlink help VERB` shows a verb's options, examples and exit codes.
"""
_FAULT: Final = (
    r"(?:argument (?P<option>\S+): )?(?:not allowed with argument (?P<other>\S+)"
    r"|ignored explicit argument '(?P<given>.*)'|one of the arguments (?P<needed>.*) is required"
    r"|invalid choice: '(?P<choice>.*)' \(choose .*)"
)
"""What argparse says in words of its own."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Puts the help of each verb beside it."""

    def __init__(self, prog: str) -> None:
        """Use the width of the terminal, as the base class does."""
        super().__init__(prog, width=width() - 2)

    def _split_lines(self, text: str, width: int) -> list[str]:
        """As the base class, which breaks words: ``--no-`` and ``repair``."""
        line = " ".join(text.split())
        if len(line) <= width:
            return [line]
        from vlanlink.cli import wrapping

        return wrapping.fitted(line, width, hang="")

    def _fill_text(self, text: str, _width: int, indent: str) -> str:
        """Examples, exit codes and prose, fitted to a terminal."""
        lines = (f"{indent}{line}" for line in text.splitlines())
        return "\n".join(part for line in lines for part in output.fitted(line, sys.stdout))

    def add_argument(self, action: argparse.Action) -> None:
        """As the base class, which forgets that verbs are indented further."""
        before = self._action_max_length
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length = max(before, self._action_max_length + self._indent_increment)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours. Options can't be abbreviated."""

    def __init__(self, **settings: Any) -> None:
        """As ArgumentParser."""
        super().__init__(**settings, allow_abbrev=False, formatter_class=_Formatter)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; the hint is the usage."""
        missing = re.fullmatch(r"the following arguments are required: (.*)", message)
        if missing:
            message = f"missing argument: {missing[1]}"
        if valueless := re.fullmatch(r"argument (\S+): expected one argument", message):
            message = f"missing value: {self._with_value(valueless[1])}"
        if fault := re.fullmatch(_FAULT, message, re.DOTALL):
            message, hint = self._in_words(fault)
            raise _error(message, hint)
        raise _error(message, usage(self))

    def _in_words(self, fault: re.Match[str]) -> tuple[str, str]:
        """What argparse finds wrong, and what to do."""
        option = (fault["option"] or "").split("/")[-1]
        if fault["other"]:
            return (
                f"{option} and {fault['other'].split('/')[-1]} exclude each other",
                "leave one out",
            )
        if fault["given"]:
            return f"{option} takes no value: {fault['given']}", usage(self)
        if fault["needed"]:
            return f"missing argument: {' or '.join(fault['needed'].split())}", usage(self)
        known = next(a.choices for a in self._actions if option in a.option_strings) or ()
        meant = vlanlink.nearest(fault["choice"], list(known))
        hint = f"did you mean {meant}?" if meant else f"write one of {', '.join(known)}"
        return f"unknown value of {option}: {fault['choice']}", hint

    def _with_value(self, names: str) -> str:
        """``-o FILE`` for ``-o/--output``."""
        action = next(one for one in self._actions if names == "/".join(one.option_strings))
        return " ".join([action.option_strings[-1], *_values(action)])

    def unknown(self, word: str) -> "vlanlink.UsageError":
        """The error for a word that no argument takes."""
        option = word.partition("=")[0]
        if not option.startswith("-"):
            return _error(f"unexpected argument: {word}", usage(self))
        options = _known_options(self)
        if option in options:
            hint = f"options follow the verb: {self.prog} {option} …"
            return _error(f"{option} precedes the verb", hint)
        from vlanlink.cli import guesses

        meant = vlanlink.nearest(option, options) or guesses.meant(option)
        hint = f"did you mean {meant}? " if meant else ""
        general = "vlanlink help lists the verbs" if " " not in self.prog else usage(self)
        return _error(f"unknown option: {option}", hint + general)


def _error(text: str, hint: str) -> "vlanlink.UsageError":
    return vlanlink.UsageError(vlanlink.Diagnostic(text, hint=hint))


def parser(complete: Iterable[str] = VERBS, known: Iterable[str] = VERBS) -> Parser:
    """The command line with the ``known`` verbs.

    Only the verbs in ``complete`` have a parser, and are imported. The help lists the others.
    """
    top = Parser(prog="vlanlink", description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"vlanlink {vlanlink.__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    complete = frozenset(complete)
    for name in known:
        if name not in complete:
            verbs._choices_actions.append(verbs._ChoicesPseudoAction(name, (), VERBS[name]))
            continue
        sub = verbs.add_parser(name, help=VERBS[name], description=VERBS[name])
        _complete(sub, module(name))
        if name not in UNLOGGED:
            debug.arguments(sub)
    return top


def _complete(sub: Parser, verb: ModuleType) -> None:
    sub.epilog = _epilog(verb)
    verb.arguments(sub)
    sub.set_defaults(run=verb.run)


def parsers(top: Parser) -> dict[str, Parser]:
    """The parser of each verb."""
    found = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    return {name: sub for name, sub in found.choices.items() if isinstance(sub, Parser)}


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. Raises UsageError."""
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        raise vlanlink.UsageError(unknown_verb(verb))
    only = [verb] if verb else []
    top = parser(only, only if words[:1] == only else VERBS)  # an option before it may be --help
    if verb is None and words[0] not in _known_options(top):
        raise top.unknown(words[0])
    options, rest = top.parse_known_args(words)
    if rest:
        raise parsers(top)[options.verb].unknown(rest[0])
    return options


def unknown_verb(word: str) -> "vlanlink.Diagnostic":
    """The error for a verb that doesn't exist."""
    from vlanlink.cli import guesses

    meant = guesses.meant(word)
    hint = f"did you mean {meant}?" if meant else "vlanlink help lists the verbs"
    return vlanlink.Diagnostic(f"unknown verb: {word}", hint=hint)


def _known_options(of: Parser) -> list[str]:
    return [name for action in of._actions for name in action.option_strings]


def usage(sub: Parser) -> str:
    """The usage in one line: ``usage: vlanlink up [--json] [FILE]``."""
    return " ".join(["usage:", sub.prog, *_arguments(sub)])


def _arguments(sub: Parser) -> Iterator[str]:
    groups = [group._group_actions for group in sub._mutually_exclusive_groups if group.required]
    options = [action for action in sub._actions if action.option_strings]
    for action in options:
        words = " ".join([action.option_strings[-1], *_values(action)])
        group = next((group for group in groups if action in group), [])
        if group:
            yield f"{'(' * (action is group[0])}{words}{')' if action is group[-1] else ' |'}"
        elif action.dest not in ("help", "version", "log_level"):
            yield words if action.required else f"[{words}]"
    for action in sub._actions:
        if not action.option_strings:
            name = str(action.metavar or action.dest)
            forms = {
                "?": f"[{name}]",
                "*": f"[{name}...]",
                argparse.REMAINDER: f"-- {name} [ARG...]",
            }
            yield forms.get(str(action.nargs), name)


def _values(action: argparse.Action) -> list[str]:
    return [] if action.nargs == 0 else [str(action.metavar or action.dest.upper())]


def _epilog(verb: ModuleType) -> str:
    """Examples, exit codes, and where to read on."""
    examples = "\n".join(f"  {line}" for line in verb.EXAMPLES)
    codes = "\n".join(f"  {code!s:<4} {meaning}" for code, meaning in verb.EXITS.items())
    return f"examples:\n{examples}\n\nexit codes:\n{codes}\n\nread on: {verb.READ_ON}"
