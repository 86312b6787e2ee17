"""The command line: help, suggestions for typing errors, FILE omitted, several files."""

import argparse
import json
import re
import shlex
from pathlib import Path

import pytest

import vlanlink
from vlanlink.cli import main as command
from vlanlink.cli.interrupts import Interrupts
from vlanlink.cli.main import main
from vlanlink.cli.parser import parser, parsers, usage
from vlanlink.cli.verbs import VERBS, module

OFFICE = '[topology]\nname = "office"\n'
WRONG = '[topology]\nname = "no name"\n'
HOME = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory; the command's set-up of the process stays out of the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_prepare", lambda: None)
    return tmp_path


def run(words: str, code: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(words.split()) == code
    found = capsys.readouterr()
    return found.out, found.err


# -- help ----------------------------------------------------------------------------------------


def test_help_alone_and_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    shown, _ = run("", 0, capsys)
    assert all(f"    {name} " in shown for name in VERBS)
    assert run("help", 0, capsys) == (shown, "")
    of_up, _ = run("help up", 0, capsys)
    assert main(["up", "--help"]) == 0
    assert capsys.readouterr().out == of_up


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_examples_exit_codes_and_a_page(name: str) -> None:
    verb = module(name)
    shown = parsers(parser())[name].format_help()
    assert all(f"\n  {line}\n" in shown for line in verb.EXAMPLES)
    assert all(meaning in shown for meaning in verb.EXITS.values())
    pages = [word for word in verb.READ_ON.split(", ") if word.startswith("docs/")]
    assert all((HOME / page).exists() for page in pages)
    assert pages or "(8)" in verb.READ_ON


@pytest.mark.parametrize("name", VERBS)
def test_every_example_parses(name: str) -> None:
    for line in module(name).EXAMPLES:
        words = shlex.split(line.partition("  #")[0].removeprefix("sudo "))
        options = parser().parse_args(words[1:])
        assert words[0] == "vlanlink"
        assert options.verb == name


# -- typing errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("stauts", "unknown verb: stauts", "did you mean status?"),
        ("zzz", "unknown verb: zzz", "vlanlink help lists the verbs"),
        ("stop office", "unknown verb: stop", "did you mean down?"),
        ("apply x.toml", "unknown verb: apply", "did you mean up?"),
        ("start x.toml", "unknown verb: start", "did you mean up?"),
        ("list", "unknown verb: list", "did you mean ls?"),
        ("show lan", "unknown verb: show", "did you mean inspect?"),
        ("shell web", "unknown verb: shell", "did you mean exec?"),
        ("lint x.toml", "unknown verb: lint", "did you mean validate?"),
        ("version", "unknown verb: version", "did you mean --version?"),
        ("--verison", "unknown option: --verison", "did you mean --version?"),
        ("-V", "unknown option: -V", "did you mean --version?"),
        ("--zzz", "unknown option: --zzz", "vlanlink help lists the verbs"),
        ("up x.toml --confirm", "missing value: --confirm SECONDS", "usage: vlanlink up"),
        ("init -o", "missing value: --output FILE", "usage: vlanlink init"),
        ("help upp", "unknown verb: upp", "did you mean up?"),
        ("plan --chek", "unknown option: --chek", "did you mean --check? usage: vlanlink plan"),
        ("up --waite=3 x.toml", "unknown option: --waite", "did you mean --wait? usage:"),
        ("up a.toml b.toml", "unexpected argument: b.toml", "usage: vlanlink up"),
        (
            "--check plan",
            "--check precedes the verb",
            "options follow the verb: vlanlink plan --ch",
        ),
        ("down", "missing argument: FILE|NAME", "write the name of a topology, its file, or --all"),
        ("down x --all", "--all and x exclude each other", "leave one out"),
        ("up x.toml --all", "--all and x.toml exclude each other", "leave one out"),
        ("logs x -n 3x", "argument -n/--lines: 3x is not a number", "usage: vlanlink logs"),
        ("exec web", "missing argument: CMD", "vlanlink exec [--user USER] NAMESPACE -- CMD"),
        ("exec web --user x -- id", "--user follows NAMESPACE", "vlanlink exec [--user USER]"),
        (
            "up --wait x a.toml",
            "argument --wait: x is not a number of seconds",
            "usage: vlanlink up",
        ),
        ("attach a/b --pid x", "argument --pid: x is not a process id", "usage: vlanlink attach ("),
        ("attach a/b --pid 1 --path x", "--path and --pid exclude each other", "leave one out"),
        (
            "attach a/b",
            "missing argument: --pid or --path or --container",
            "usage: vlanlink attach (",
        ),
        ("up --replace=y a.toml", "--replace takes no value: y", "usage: vlanlink up"),
        ("export a.toml --to cnj", "unknown value of --to: cnj", "did you mean cni?"),
        (
            "export a.toml --to x",
            "unknown value of --to: x",
            "write one of iproute2, networkd, cni",
        ),
        ("import a.yml --from yaml", "unknown value of --from: yaml", "write one of json, compose"),
        ("up --confirm .5 a.toml", "argument --confirm: .5 is too short; the minimum is 1 s", ""),
    ],
)
def test_typing_errors(
    words: str, message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(words, 2, capsys)
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith(f"error: {message}")
    assert lines[1].startswith(f"  hint: {hint}")


def test_a_name_where_a_file_belongs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run("validate office", 2, capsys)
    assert err == (
        "error: not a file name: office\n  hint: a file name ends in .toml or contains a /\n"
    )
    (here / "office").write_text(OFFICE)
    _, err = run("validate office", 2, capsys)
    assert err.endswith(": did you mean ./office? a file name ends in .toml or contains a /\n")
    (here / "office").rename(here / "office.toml")
    for word in ("office", "ofice", "ofice.toml", "./ofice.toml"):
        _, err = run(f"validate {word}", 2, capsys)
        assert err.endswith("  hint: did you mean office.toml?\n")


def test_a_directory_is_not_suggested(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "dir.toml").mkdir()
    for word in (".", "dir", "dri"):
        _, err = run(f"validate {word}", 2, capsys)
        assert err.endswith("  hint: a file name ends in .toml or contains a /\n")


def test_an_option_that_needs_no_name_in_capitals_has_one() -> None:
    for name, sub in parsers(parser()).items():
        words = usage(sub).removeprefix(f"usage: vlanlink {name}")
        assert not re.search(r" [a-z]+(?=[\]. ]|$)", words), words


def test_usage_in_a_line() -> None:
    found = parsers(parser())
    assert usage(found["ls"]) == "usage: vlanlink ls [--endpoints] [--json]"
    assert usage(found["validate"]) == "usage: vlanlink validate [--json] [FILE...]"
    assert usage(found["export"]).startswith("usage: vlanlink export --to FORMAT [--undo] ")
    one = "(--pid PID | --path PATH | --container NAME)"
    assert usage(found["attach"]).startswith(
        f"usage: vlanlink attach {one} [--interface INTERFACE]"
    )
    assert usage(found["exec"]) == "usage: vlanlink exec [--user USER] NAMESPACE -- CMD [ARG...]"


# -- files -----------------------------------------------------------------------------------------


def test_the_file_of_this_directory(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = run("validate", 2, capsys)
    assert err.startswith("error: no FILE given, and there is no vlanlink.toml here\n")
    (here / "vlanlink.toml").write_text(OFFICE)
    assert run("validate", 0, capsys) == ("vlanlink.toml: OK\n", "using vlanlink.toml\n")
    out, _ = run("validate --json", 0, capsys)
    assert json.loads(out)["topology"] == "office"
    _, err = run("down", 2, capsys)
    assert "missing argument" in err


@pytest.mark.parametrize("verb", ["plan", "up", "up --dry-run"])
def test_plan_and_up_take_it_too(
    verb: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "vlanlink.toml").write_text(OFFICE)

    def done(topology: vlanlink.Topology, **_: object) -> vlanlink.Plan:
        return vlanlink.Plan(topology.name)

    for name in ("plan", "up"):
        monkeypatch.setattr(vlanlink, name, done)
    monkeypatch.setattr(vlanlink, "revert_overdue", lambda: ())
    _, err = run(verb, 0, capsys)
    assert err.splitlines()[0] == "using vlanlink.toml"


def test_several_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("a", OFFICE), ("b", WRONG), ("c", OFFICE)):
        (here / f"{name}.toml").write_text(text)
    assert run("validate a.toml c.toml", 0, capsys)[0] == "a.toml: OK\nc.toml: OK\n"
    out, err = run("validate a.toml b.toml missing.toml c.toml", 2, capsys)
    assert out == "a.toml: OK\nc.toml: OK\n"
    assert "b.toml:2:8: error: " in err
    assert "missing.toml" in err
    out, err = run("validate a.toml b.toml --json", 2, capsys)
    first, second = json.loads(out)["files"]
    assert err == ""
    assert (first["file"], first["topology"], first["errors"]) == ("a.toml", "office", [])
    assert (second["file"], second["topology"]) == ("b.toml", None)
    assert second["errors"][0]["line"] == 2


def test_options_stand_alone() -> None:
    """No option is an abbreviation of another verb's; argparse must not guess."""
    for sub in parsers(parser()).values():
        assert isinstance(sub, argparse.ArgumentParser)
        assert not sub.allow_abbrev


def test_an_interrupt_as_soon_as_it_can_be_raised_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install = Interrupts.install

    def interrupted(signals: Interrupts) -> None:
        install(signals)
        raise KeyboardInterrupt

    monkeypatch.setattr(Interrupts, "install", interrupted)
    assert main(["validate", "office.toml"]) == 130
    assert capsys.readouterr() == ("", "error: interrupted\n")


def test_no_memory_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise MemoryError

    monkeypatch.setattr(command, "_run_verb", fail)
    _, err = run("status", 1, capsys)
    assert err.startswith("error: out of memory\n  hint: ")
