"""Every event of a watch has words on the command line."""

from typing import get_args

import pytest

from vlanlink.cli.watch import _lines
from vlanlink.watcher.event import Event, Word

REPORTED = [word for word in get_args(Word) if word != "left_out"]  # the stream tells that one


@pytest.mark.parametrize("word", REPORTED)
def test_every_event_has_words(word: Word) -> None:
    lines = _lines(Event(word, "office", ("attachment db of pub",), retry_seconds=1.0))
    assert lines
    assert all("db" in line for line in lines) or word not in ("ended", "attached")
