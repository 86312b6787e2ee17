"""The command with streams that are closed, full or read by nobody: no traceback, the exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from vlanlink.cli.streams import Channel

RIGHT = '[topology]\nname = "office"\n'
ENVIRONMENT = {key: word for key, word in os.environ.items() if key != "PYTHONUNBUFFERED"}
WRONG = '[topology]\nname = "no name"\n'


def vlanlink(
    words: str, *, text: str | bytes = "", shell: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """`vlanlink WORDS`, with redirections as a shell has them."""
    command = f'"$0" -m vlanlink {words} {shell}'
    data = text.encode() if isinstance(text, str) else text
    run = ["sh", "-c", command, sys.executable]
    return subprocess.run(run, input=data, capture_output=True, check=False, env=ENVIRONMENT)


def test_no_stdin() -> None:
    done = vlanlink("validate -", shell="<&-")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"it is closed" in done.stderr
    empty = vlanlink("validate -", shell="</dev/null")
    assert b"the file has no table" in empty.stderr


@pytest.mark.parametrize(
    ("text", "code", "json", "closed"),
    [(RIGHT, 0, "", "1"), (WRONG, 2, "--json", "1"), (WRONG, 2, "", "2")],
)
def test_a_closed_stream_costs_only_its_output(
    text: str, code: int, json: str, closed: str
) -> None:
    done = vlanlink(f"validate - {json}", text=text, shell=f"{closed}>&-")
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert closed == "1" or b"error:" not in done.stdout


@pytest.mark.parametrize(("text", "json"), [(RIGHT, ""), (RIGHT, "--json"), (WRONG, "--json")])
def test_an_output_that_is_full(text: str, json: str) -> None:
    done = vlanlink(f"validate - {json}", text=text, shell=">/dev/full")
    assert done.returncode == 1
    message = b"error: can't write the output: No space left on device\n"
    assert done.stderr == message


@pytest.mark.parametrize("words", ["--version", "--help", "up --help", "help up", ""])
def test_help_on_a_full_disk(words: str) -> None:
    done = vlanlink(words, shell=">/dev/full")
    assert done.returncode == 1
    assert b"can't write the output: No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("text", "json", "stream"),
    [(RIGHT, "", "stdout"), (WRONG, "--json", "stdout"), (WRONG, "", "stderr")],
)
def test_an_output_that_nobody_reads(text: str, json: str, stream: str, tmp_path: Path) -> None:
    file = tmp_path / "topology.toml"
    file.write_text(text)
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "vlanlink", "validate", str(file), *json.split()]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer}
    done = subprocess.run(words, check=False, env=ENVIRONMENT, **streams)  # type: ignore[call-overload]
    os.close(writer)
    assert done.returncode == 141
    assert not done.stderr


def test_a_pipe_is_read_as_a_file_is() -> None:
    done = vlanlink("validate -", text=b'[topology]\nname = "b\xfcro"\n')
    assert done.returncode == 2
    assert b"-:2:10: error: byte 0xfc is not UTF-8" in done.stderr
    assert b"more than 4 MiB" in vlanlink("validate -", text="#" * 5_000_000).stderr
    fits = vlanlink("validate -", text='[topology]\nname = "a"\n[networks."bü"]\nkind="macvlan"\n')
    assert fits.returncode == 0


def test_options_are_written_in_full() -> None:
    assert b"unknown option: --js" in vlanlink("validate - --js", text=RIGHT).stderr


def test_an_option_of_the_command_of_exec_is_not_ours() -> None:
    done = vlanlink("exec nowhere -- tool --json")
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")


# -- the writer --------------------------------------------------------------------------------


class Slow:
    """A file that takes nothing until it is told to, and then all."""

    def __init__(self) -> None:
        self.text = b""
        self.writes = 0
        self.error: OSError | None = None
        self.begun = Event()
        self.may_go_on = Event()

    def write(self, data: bytes) -> int:
        self.begun.set()
        assert self.may_go_on.wait(30)
        if self.error:
            raise self.error
        self.text += data
        self.writes += 1
        return len(data)


def _note(lines: int) -> str:
    return f"{lines} left out\n"


def test_what_nobody_reads_is_left_out_and_counted() -> None:
    channel, file = Channel(), Slow()
    channel.leave_out(_note, limit=6)
    for line in (b"1\n", b"2\n", b"3\n", b"4\n5\n", b"6\n"):
        channel.put(file.write, line)
        assert file.begun.wait(30)
    file.may_go_on.set()
    channel.drain()
    assert file.text == b"1\n2\n3\n3 left out\n"
    channel.put(file.write, b"7\n")
    channel.drain()
    assert file.text == b"1\n2\n3\n3 left out\n7\n"


def test_a_disk_that_was_full_is_tried_again() -> None:
    channel, file = Channel(), Slow()
    channel.leave_out(_note)
    file.may_go_on.set()
    file.error = OSError(28, "No space left on device")
    channel.put(file.write, b"1\n2\n")
    channel.put(file.write, b"3\n")
    channel.drain()
    file.error = None
    channel.put(file.write, b"4\n")
    channel.drain()
    assert file.text == b"3 left out\n4\n"
    assert channel.error is not None


def test_without_a_note_nothing_is_left_out() -> None:
    channel, file = Channel(), Slow()
    text = b"x" * 99 + b"\n"
    channel.put(file.write, text)
    assert file.begun.wait(30)
    for _ in range(1999):
        channel.put(file.write, text)
    file.may_go_on.set()
    channel.drain()
    assert file.text == text * 2000
    assert file.writes == 2  # what has waited goes at once


def test_one_file_has_one_order() -> None:
    words = "import sys\nfrom vlanlink.cli import streams\nwith streams.installed() as both:\n"
    words += " for n in range(50):\n  sys.stdout.write(f'{n}\\n')\n  sys.stderr.write(f'{n}\\n')\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{words} both.drain()"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    assert done.stdout == b"".join(b"%d\n%d\n" % (n, n) for n in range(50))


def test_an_encoding_without_our_signs(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        '[networks.lan]\nkind = "macvlan"\n[namespaces."é".interfaces.eth0]\nnetwork = "lan"\n'
    )
    ascii_only = {**ENVIRONMENT, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    run = [sys.executable, "-m", "vlanlink"]
    drawn = subprocess.run([*run, "graph", path], capture_output=True, check=True, env=ascii_only)
    assert b"\\u" not in drawn.stdout
    path.write_text('[networks."é"]\nkind = 1\n')
    told = subprocess.run(
        [*run, "validate", "--json", path], capture_output=True, check=False, env=ascii_only
    )
    assert json.loads(told.stdout)["errors"][0]["path"] == "networks.é.kind"
