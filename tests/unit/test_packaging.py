"""Completions and the man page say what the parser says, and shells take them.

``VLANLINK_GOLDEN_UPDATE=1`` writes them again.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command_line_files import COMPLETIONS, DIRECTORY, MAN, completion, man_page


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


_IN_BASH = """
source $FILE; COMP_WORDS=($LINE); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ $LINE = *' ' ]] && COMP_WORDS+=('') COMP_CWORD=$((COMP_CWORD + 1))
COMP_LINE=$LINE COMP_POINT=${#LINE}
$(complete -p vlanlink | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""
_IN_FISH = "source $FILE; complete -C $LINE"
_IN_ZSH = """
zmodload zsh/zpty
zpty terminal zsh -f -i
zpty -w terminal "
fpath=(${FILE:h} \\$fpath)
autoload -U compinit ${FILE:t}; compinit -u -D; compdef ${FILE:t} vlanlink
compadd() {
    [[ \\$@ = *-[AOD]\\ * ]] || {
        local -a found; builtin compadd -O found \\$@; print -l -- \\$found >>$OUT
    }
    builtin compadd \\$@
}
offer() { _main_complete; print '<end>' >>$OUT; exit }
zle -C offer complete-word offer; bindkey '^I' offer"
zpty -w -n terminal "$LINE"$'\\t'
while zpty -r terminal; do :; done >/dev/null
sed -n '/<end>/q; p' $OUT
"""
"""A terminal of zsh's own, whose compadd tells what is offered."""
_SCRIPTS = {"bash": _IN_BASH, "zsh": _IN_ZSH, "fish": _IN_FISH}


@pytest.fixture(params=_SCRIPTS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")
    return name


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with files; topology, network and namespace names come from stand-ins."""
    (tmp_path / "office.toml").touch()
    (tmp_path / "notes.txt").touch()
    commands = tmp_path / "bin"
    commands.mkdir()
    networks = "NETWORK NAME\\nmacvlan office/lan\\n"
    names = {"/etc/vlanlink": "shop.toml", "/run/netns": "web"}
    listed = "".join(f"*{path}*) echo {name} ;;" for path, name in names.items())
    texts = {"ls": f'case "$*" in {listed} esac', "vlanlink": f"printf '{networks}'"}
    for name, text in texts.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def completed(shell: str, line: str, path: Path) -> set[str]:
    """What a shell offers at the end of a line."""
    out = path / "out"
    out.unlink(missing_ok=True)
    file = DIRECTORY / COMPLETIONS[shell]
    environment = {**os.environ, "FILE": str(file), "LINE": line, "OUT": str(out), "TERM": "dumb"}
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *options, "-c", _SCRIPTS[shell]],
        capture_output=True,
        text=True,
        check=True,
        cwd=path,
        env=environment,
        timeout=60,
    )
    lines = [line.split("\t")[0].strip() for line in done.stdout.splitlines()]
    return {line for line in lines if line}


def test_verbs_and_options_are_completed(shell: str, there: Path) -> None:
    assert completed(shell, "vlanlink re", there) == {"restart"}
    assert {"--wait", "--dry-run", "--confirm"} <= completed(shell, "vlanlink up --", there)
    assert completed(shell, "vlanlink help val", there) == {"validate"}


def test_files_and_names_are_completed(shell: str, there: Path) -> None:
    offered = completed(shell, "vlanlink up ", there)
    assert "office.toml" in offered
    assert "notes.txt" not in offered
    assert {"shop", "office.toml"} <= completed(shell, "vlanlink down ", there)
    assert completed(shell, "vlanlink exec ", there) == {"web"}
    assert completed(shell, "vlanlink inspect ", there) == {"office/lan"}


def test_the_page_has_no_warning_of_groff() -> None:
    if shutil.which("groff"):
        command = ["groff", "-man", "-ww", "-z", str(DIRECTORY / MAN)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
    assert ".SS vlanlink up" in (DIRECTORY / MAN).read_text()
