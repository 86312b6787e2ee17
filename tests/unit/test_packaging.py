"""Completions and the man page say what the parser says, and shells take them.

``VLANLINK_GOLDEN_UPDATE=1`` writes them again.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command_line_files import COMPLETIONS, DIRECTORY, MAN, completion, man_page

BASH = DIRECTORY / COMPLETIONS["bash"]


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_completions_are_those_of_the_parser(shell: str) -> None:
    _same(DIRECTORY / COMPLETIONS[shell], completion(shell))


def test_the_man_page_is_that_of_the_parser() -> None:
    _same(DIRECTORY / MAN, man_page())


def _same(file: Path, text: str) -> None:
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        file.write_text(text)
    assert file.read_text() == text


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_the_shell_reads_it(shell: str) -> None:
    if shutil.which(shell):  # bash always; zsh and fish where they are installed
        subprocess.run([shell, "-n", str(DIRECTORY / COMPLETIONS[shell])], check=True)
    assert shutil.which("bash")


def completed(*words: str, path: Path) -> set[str]:
    """What bash offers for the last of the words."""
    script = (
        f"source {BASH}; COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; "
        'COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; '
        "$(complete -p vlanlink | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, cwd=path
    )
    return set(done.stdout.split())


def test_bash_completes_verbs_options_and_files(tmp_path: Path) -> None:
    (tmp_path / "office.toml").touch()
    (tmp_path / "notes.txt").touch()
    assert completed("vlanlink", "re", path=tmp_path) == {"restart"}
    assert {"--wait", "--dry-run", "--confirm"} <= completed("vlanlink", "up", "--", path=tmp_path)
    assert completed("vlanlink", "up", "", path=tmp_path) >= {"office.toml"}
    assert "notes.txt" not in completed("vlanlink", "up", "", path=tmp_path)
    assert completed("vlanlink", "help", "val", path=tmp_path) == {"validate"}


def test_the_page_has_no_warning_of_groff() -> None:
    if shutil.which("groff"):
        command = ["groff", "-man", "-ww", "-z", str(DIRECTORY / MAN)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
    assert ".SS vlanlink up" in (DIRECTORY / MAN).read_text()
