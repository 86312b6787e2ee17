"""What a terminal shows: names and addresses as they are."""

import io
import re

import pytest

from vlanlink.cli import output, tables

ODD = ("2001:db8:1234::1", "[bold]", ":100:")


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Where results and progress go from now on."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", stream)
    return stream


def test_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    tables.print_table(("a", "b", "c"), [ODD])
    assert all(stream.getvalue().count(word) >= 1 for word in ODD)


def test_a_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    tables.print_tree(ODD[0], {ODD[1]: [ODD[2]]})
    assert all(word in stream.getvalue() for word in ODD)


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    with output.progress("up") as report:
        assert report is not None
        report(1, 2, " ".join(ODD))
    assert " ".join(ODD) in stream.getvalue()


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_the_bar_stands_still_whatever_the_label(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", columns)
    for done, what in ((1, "a"), (900, f"write disable_ipv6 = 1 in {'n' * 90}")):
        with output.progress("up") as report:
            assert report is not None
            report(done, 1000, what)
    frames = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()))
    shown = [frame for frame in frames if "/1000" in frame]
    assert any("…" in frame for frame in shown)
    assert {frame.index("/1000") for frame in shown} == {shown[0].index("/1000")}
    assert all(len(frame) <= int(columns) for frame in shown)
