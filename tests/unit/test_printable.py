"""What others wrote reaches a terminal or a log as text, never as a control sequence."""

import ast
import io
import json
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vlanlink
from vlanlink import Diagnostic, UsageError, printable
from vlanlink.cli import doctor, output, tables
from vlanlink.cli.sd_notify import Service
from vlanlink.planning.operations import RemoveLink
from vlanlink.planning.plan import Plan

TITLE = "vlanlink:\x1b]0;X\a\x1b[31mx\nfake: line"
HOSTILE = (TITLE, "\x9b2J", "\u202egnp.exe", "a\rb", "\u2028", "\x7f", "\udcff", "\x00")
WAYS = ("say", "print_table", "print_tree", "print_json", "print_error", "print_plan", "doctor")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def show(way: str, text: str) -> None:
    """Have ``text`` printed that way."""
    match way:
        case "say":
            output.say(text)
        case "print_table":
            tables.print_table(("a", "b"), [(text, text)])
        case "print_tree":
            tables.print_tree(text, {text: [text]})
        case "print_json":
            output.print_json({"name": text, "what": [text]})
        case "print_error":
            error = vlanlink.ApplyError(Diagnostic(text, hint=text), not_undone=(text,))
            output.print_error(error, as_json=False)
        case "print_plan":
            output.print_plan(
                Plan("office", (RemoveLink(namespace=text, name=text, kind=text, index=2),))
            )
        case "doctor":
            doctor._print(
                "warning", text, text, text, Diagnostic(text, file=text, line=1, column=1)
            )


def acts(text: str, allowed: str = "\n") -> set[str]:
    """The characters of a text that a terminal may act on; colours of ours are none."""
    for code in ("0", "1", "31", "32", "33", "36", "1;31", "1;33", "1;36"):
        text = text.replace(f"\x1b[{code}m", "")
    return {c for c in text if not c.isprintable() and c not in allowed}


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_printed_acts_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, way: str, text: str, tty: bool
) -> None:
    stream = Terminal() if tty else io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = text.replace("\x1b[31m", "\x1b[35m")  # none of ours
    show(way, text)
    shown = stream.getvalue()
    assert acts(shown) == set()
    assert not any(line.strip().startswith("fake: ") for line in shown.splitlines())


@given(text=st.text())
def test_printable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


@given(text=st.text())
def test_json_is_the_same_value(text: str) -> None:
    shown = output.json_text({text: [text]}, indent=2)
    assert acts(shown) == set()
    assert json.loads(shown) == {text: [text]}


@given(text=st.text(), hint=st.text(), file=st.text())
def test_a_diagnostic_has_the_lines_that_it_should(text: str, hint: str, file: str) -> None:
    shown = str(Diagnostic(text, hint=hint or "x", file=file or "x", line=1))
    assert acts(shown) == set()
    assert len(shown.split("\n")) == 2


@given(text=st.text())
def test_a_plan_has_the_lines_that_it_should(text: str) -> None:
    plan = Plan("office", (RemoveLink(namespace=text, name="m0", kind="macvlan", index=2),))
    assert acts(str(plan)) == set()
    assert len(plan.lines) == 2


def test_the_service_manager_is_told_one_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        Service().report("drift", "drift: x\nREADY=1\nMAINPID=1")
        assert manager.recv(1024) == b"STATUS=drift: x\\nREADY=1\\nMAINPID=1"


def test_a_service_manager_that_does_not_read_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        service = Service()
        for _ in range(10_000):  # net.unix.max_dgram_qlen is 10 to 512
            service.report("drift", "x" * 1000)


def test_an_argument_is_printed_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from vlanlink.cli.parser import parse

    with pytest.raises(UsageError) as caught:
        parse(["up", "--\x1b[2J"])
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    output.print_error(caught.value, as_json=False)
    assert acts(stream.getvalue()) == set()


def test_only_one_place_of_the_command_line_prints() -> None:
    """``output`` escapes; ``prompt`` moves the cursor of its own line."""
    package = Path(sys.modules["vlanlink.cli"].__path__[0])
    for path in package.glob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path
