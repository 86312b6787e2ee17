"""Lines on a narrow terminal: no word, path or command is broken. Pipes have whole lines."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vlanlink
from tests.unit.golden import CASES as PLANS
from tests.unit.test_output import Terminal
from tests.unit.topology.test_broken import FILES as BROKEN
from tests.unit.topology.test_broken import found
from vlanlink.cli import doctor, graph, main, output, verify, watch, wrapping
from vlanlink.cli.verbs import VERBS
from vlanlink.topology.load import diagnostics
from vlanlink.watcher.event import Event

WIDTHS = (40, 60, 80, 132)
CARET = re.compile(r" *\^~*")
COMMANDS = (
    "ip link property add dev enp3s0 altname eth0",
    "sudo vlanlink leases office --release 2001:db8::1",
    "/opt/vlanlink/bin/vlanlink up /etc/vlanlink/office.toml",
    "nsenter --net=/proc/4711/ns/net ip route del default via 192.0.2.1 dev eth0",
    "nft insert rule inet filter input iifname 'shim0' accept",
    "rm -f /etc/machine-id && systemd-machine-id-setup",
    "printf '[Match]\\nName=shim0 shim1\\n' > /etc/systemd/network/00.network && networkctl reload",
)
TOKENS = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda one: f"{one}/96,"),
    st.binary(min_size=6, max_size=6).map(lambda one: one.hex(":")),
    st.text("abcdef-_.:/", min_size=1, max_size=70),
    st.text("xyz ", max_size=12).map(lambda one: f'"{one}"'),
    st.sampled_from(["--no-repair", "[--wait SECONDS]", "(", "[", '"', "`x`", "→", "; or"]),
)
COMMAND = st.sampled_from(COMMANDS).map(lambda one: f"{one};")
LINES = st.tuples(st.sampled_from(["", "  ", "  + "]), st.lists(TOKENS | COMMAND, max_size=9))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(main, "_prepare", lambda: None)
    monkeypatch.setattr(main, "_revert_overdue", lambda: None)
    monkeypatch.setenv("NO_COLOR", "1")
    return monkeypatch


def shown(terminal: pytest.MonkeyPatch, width: int | None, *words: str) -> list[str]:
    """The lines of a command on a terminal of a width; None: in a pipe, as argparse has them."""
    with printing(terminal, width) as stream:
        main.main(words)
    return stream.getvalue().splitlines()


class printing:  # noqa: N801
    """Everything that is printed goes to a terminal of a width, or to a pipe."""

    def __init__(self, patch: pytest.MonkeyPatch, width: int | None) -> None:
        self.patch = patch
        self.width = width

    def __enter__(self) -> io.StringIO:
        stream = io.StringIO() if self.width is None else Terminal()
        self.patch.setattr(sys, "stdout", stream)
        self.patch.setattr(sys, "stderr", stream)
        self.patch.setenv("COLUMNS", str(self.width or 500))
        return stream

    def __exit__(self, *_: object) -> None:
        self.patch.setattr(sys, "stdout", sys.__stdout__)
        self.patch.setattr(sys, "stderr", sys.__stderr__)


def fits(lines: list[str], width: int) -> None:
    """None is wider than the terminal but for one thing that can't be broken."""
    for line in lines:
        if len(line) > width:
            text = re.sub(r"^(failure|warning|note) +", "", line.strip())
            assert len(list(wrapping._atoms(text))) == 1, line


def words(lines: list[str]) -> list[str]:
    return " ".join(lines).split()


@given(LINES, st.sampled_from(WIDTHS))
def test_no_word_and_no_command_is_broken(line: tuple[str, list[str]], width: int) -> None:
    text = line[0] + " ".join(line[1])
    lines = wrapping.fitted(text, width)
    assert words(lines) == text.split()
    if "→" not in text and '"' not in text and "[" not in text and "(" not in text:
        fits(lines, width)
        for command in set(COMMANDS) & {word.removesuffix(";") for word in line[1]}:
            assert any(command in one for one in lines)
    assert all(one.startswith(" " * wrapping.HANG) for one in lines[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_does_not_fit_has_its_own_line(command: str) -> None:
    lines = wrapping.fitted(f"  hint: delete that route there first: {command}, or use another", 40)
    assert f"      {command}," in lines
    assert lines[-1] == "      or use another"


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("vlanlink ls lists the networks", ["vlanlink ls"]),
        ("vlanlink never overwrites files", []),
        ("another vlanlink process holds the lock", []),
        ("choose another id (--id ID), or vlanlink detach a/b c", ["vlanlink detach a/b c"]),
        ("systemctl disable a.service first; or x", ["systemctl disable a.service"]),
        ("modprobe macvlan (or install the full kernel)", ["modprobe macvlan"]),
        ("its ip rule 100 comes before table main", []),
        ("ip -6 route delete default, if it was there", ["ip -6 route delete default"]),
        ("sysctl net.ipv4.ip_forward can't be read", []),
        ("usage: vlanlink plan [--check] [--json] [FILE]", ["vlanlink plan"]),
        ("as root: A=/b C=/d pipx install vlanlink", ["A=/b C=/d pipx install vlanlink"]),
        ("→ docker network rm pub (or …)", ["→ docker network rm pub"]),
    ],
)
def test_what_a_command_is(text: str, commands: list[str]) -> None:
    found = [one["command"] for one in wrapping._pattern().finditer(text) if one["command"]]
    assert found == commands


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb(terminal: pytest.MonkeyPatch, verb: str, width: int) -> None:
    whole = set(words(shown(terminal, 500, "help", verb)))
    assert set(words(shown(terminal, width, "help", verb))) <= whole


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("verb", VERBS)
def test_the_usage_of_every_verb(terminal: pytest.MonkeyPatch, verb: str, width: int) -> None:
    words_of = (verb, "--lock-timeuot") if verb not in ("exec", "help") else (verb, "-x")
    whole = shown(terminal, None, *words_of)
    lines = shown(terminal, width, *words_of)
    assert words(lines) == words(whole)
    fits(lines, width)


def test_every_broken_file(terminal: pytest.MonkeyPatch) -> None:
    for file in BROKEN:
        source, problems = found(file)
        told = diagnostics(problems, source)
        text = "\n".join(map(str, told))
        for width in WIDTHS:
            with printing(terminal, width) as stream:
                output.print_notes(told)
            lines = stream.getvalue().splitlines()
            said = [line for line in lines if "…" not in line and not CARET.fullmatch(line)]
            assert set(words(said)) <= set(text.split())
            fits(said, width)


def test_a_long_source_line_is_cut_around_the_caret() -> None:
    source = "  " + "a" * 50 + "wrong" + "b" * 50
    caret = "  " + " " * 50 + "^~~~~"
    for width in (20, 40, 60, 80, 100):
        line, below = wrapping.cropped(source, caret, width)
        assert len(line) == width
        assert line[below.index("^") :].startswith("wrong")
        assert len(below) <= width
    assert wrapping.cropped(source, caret, 200) == (source, caret)
    assert wrapping.cropped(source, caret[:40] + "^" + "~" * 40, 40)[1].strip().startswith("^~")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_plan(terminal: pytest.MonkeyPatch, width: int) -> None:
    """``plan``, ``up``, ``down``, ``restart``, ``enable`` and ``disable`` print such lines."""
    for file in sorted(PLANS.glob("*/plan.txt")):
        text = file.read_text().splitlines()
        with printing(terminal, width) as stream:
            output.print_lines(text)
        lines = stream.getvalue().splitlines()
        assert words(lines) == words(text)
        fits(lines, width)
        with printing(terminal, None) as stream:
            output.print_lines(text)
        assert stream.getvalue().splitlines() == text


NAME = "the-longest-name-of-a-topology-that-there-is-with-63-characters"
ADDRESS = "2001:db8:1234:5678:9abc:def0:1234:5678"
HINT = f"ip -n {NAME} -6 route del {ADDRESS}/128 dev shim-3a4b5c, or {NAME} stays as it is"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "show",
    [
        lambda: output.say(
            *watch._lines(Event("drift", NAME, (f"{ADDRESS}/64 is gone from eth0",)))
        ),
        lambda: output.print_notes([vlanlink.Diagnostic(f"{NAME}: no {ADDRESS} here", HINT)]),
        lambda: output.print_error(
            vlanlink.ApplyError(
                vlanlink.Diagnostic(NAME), not_undone=(f"delete {ADDRESS} on eth0 of {NAME}",)
            ),
            as_json=False,
        ),
        lambda: doctor._print(
            "warning", f"{NAME} has {ADDRESS}", f"so {ADDRESS} is lost", HINT, None
        ),
        lambda: output.say(*(line for _, line in verify._differences([_ROW]))),
        lambda: output.print_waiting([NAME, NAME], 60),
    ],
    ids=["watch", "notes", "errors", "doctor", "verify", "waiting"],
)
def test_long_names_and_addresses(
    terminal: pytest.MonkeyPatch, show: Callable[[], None], width: int
) -> None:
    with printing(terminal, None) as stream:
        show()
    whole = stream.getvalue().splitlines()
    with printing(terminal, width) as stream:
        show()
    lines = stream.getvalue().splitlines()
    assert words(lines) == words(whole)
    fits(lines, width)


_ROW: dict[str, object] = {
    "expected": "reachable",
    "measured": "unreachable",
    "kind": "same network",
    "cause": f"the link of {NAME} is down",
    "from": NAME,
    "to": "database-of-the-shop",
    "address": ADDRESS,
    "facts": [f"no answer to neighbour discovery of {ADDRESS}", "carrier is off"],
}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_tree(terminal: pytest.MonkeyPatch, tmp_path: Path, width: int) -> None:
    file = tmp_path / "office.toml"
    file.write_text(_TREE)
    scene = vlanlink.graph(vlanlink.load(file)).tree()
    with printing(terminal, None) as stream:
        graph._indent(scene, "")
    whole = words(stream.getvalue().splitlines())
    terminal.delenv("NO_COLOR")
    terminal.setenv("TERM", "xterm")
    with printing(terminal, width) as stream:
        graph._draw(scene)
    lines = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()).splitlines()
    assert [word for word in words(lines) if not set(word) <= set("│├└──")] == whole
    assert all(len(line) <= max(width, 60) for line in lines)


_TREE = f"""
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{{ subnet = "2001:db8:1234:5678::/64" }}, {{ subnet = "172.16.3.0/24" }}]
[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["{ADDRESS.replace("9abc", "abcd")}", "172.16.3.4"]
[namespaces.database-of-the-shop.interfaces.eth0]
network = "pub"
"""
