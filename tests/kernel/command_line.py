"""The command line, as tests run it."""

import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.json_schema import judge
from vlanlink.cli.main import main

VLANLINK = str(Path(sys.executable).parent / "vlanlink")
"""The command, for tests that start it."""
WITHOUT_PRIVILEGE = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
ERROR = {"file", "line", "column", "path", "message", "hint"}


class Cli:
    """The command line, run in this process: starting Python anew takes longer than all else."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        self.patch = patch

    def run(self, words: str, *, code: int = 0, stdin: str = "") -> str:
        """What `vlanlink WORDS` prints on stdout; it exits with ``code``."""
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        handler = signal.getsignal(signal.SIGTERM)
        try:
            done = main(words.split())
        finally:
            signal.signal(signal.SIGTERM, handler)
        out, err = self.capsys.readouterr()
        assert done == code, (words, out, err)
        assert "\x1b" not in out + err
        return out

    def json(self, words: str, *, code: int = 0, stdin: str = "") -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.run(f"{words} --json", code=code, stdin=stdin))
        judge(words.split(maxsplit=1)[0], found)
        assert found.pop("version") == 1
        return found

    def errors(self, words: str, *, code: int, stdin: str = "") -> list[dict[str, Any]]:
        """The errors that it tells in JSON."""
        errors: list[dict[str, Any]] = self.json(words, code=code, stdin=stdin)["errors"]
        assert errors
        for error in errors:
            assert error.keys() == ERROR
        return errors
