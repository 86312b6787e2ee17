"""Hints name the command as it was run."""

import sys
from pathlib import Path

import pytest

from vlanlink.cli import naming

HINT = "run it as root: sudo vlanlink up …, or see vlanlink status office"
ANY = "run it as root: sudo vlanlink …"


@pytest.fixture(autouse=True)
def fresh() -> None:
    naming._command.cache_clear()


def ran(program: str, found: str | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hint of a program; ``found``: what the paths have under its name."""
    monkeypatch.setattr(sys, "argv", [program, "up"])
    monkeypatch.setattr("shutil.which", lambda _, path=None: found if path else program)
    return naming.as_run(HINT)


def test_in_a_place_that_sudo_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran("/usr/bin/vlanlink", "/usr/bin/vlanlink", monkeypatch) == HINT


@pytest.mark.parametrize("found", [None, "/usr/bin/vlanlink"])
def test_elsewhere(found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran("/home/me/my venv/bin/vlanlink", found, monkeypatch) == (
        "run it as root: sudo '/home/me/my venv/bin/vlanlink' up …, or see vlanlink status office"
    )


def test_not_on_the_path_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/x/vlanlink"])
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert naming.as_run("vlanlink down office") == "/opt/x/vlanlink down office"


def test_a_hint_for_any_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/x/vlanlink"])
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert naming.as_run(ANY) == "run it as root: sudo /opt/x/vlanlink …"


def test_a_relative_path_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", [".venv/bin/vlanlink"])
    assert naming.as_run("sudo vlanlink up") == f"sudo {tmp_path}/.venv/bin/vlanlink up"


def test_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/vlanlink/__main__.py"])
    monkeypatch.setattr(sys, "executable", "/x/python")
    assert naming.as_run("sudo vlanlink up") == "sudo /x/python -m vlanlink up"


def test_within_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert naming.as_run(HINT) == HINT


@pytest.mark.parametrize(
    "text",
    ["vlanlink@office.service", "/etc/vlanlink up", "vlanlink needs 9 files", "by vlanlink", ""],
)
def test_what_is_no_command_stays(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["/opt/x/vlanlink"])
    assert naming.as_run(text) == text
