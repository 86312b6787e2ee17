"""Output that never holds up work: a thread writes it, and nobody waits for its reader.

A stopped terminal (Ctrl-S) or a full pipe blocks write(2) for as long as its reader likes, and
other processes may be waiting for the lock meanwhile. O_NONBLOCK is not a way out: it belongs to
the open file, which the caller's shell shares.
"""

import io
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Final, NamedTuple, TextIO, cast

UNREAD_BYTES = 1 << 16
"""How much of a stream that may leave lines out is kept for its reader."""
LAST_SECONDS = 1.0
"""How long the end of such a stream waits for its reader."""

Note = Callable[[int], str]
"""The line that replaces a number of lines that were left out."""


class _Text(NamedTuple):
    write: Callable[[bytes], int]
    data: bytes


class _Gap:
    """Lines left out at one place."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write
        self.lines = 0
        self.is_open = True


class Channel:
    """Text on its way to one file, in order."""

    def __init__(self) -> None:
        """A thread runs while there is something to write."""
        self.error: OSError | None = None
        """The first error of the file."""
        self._queue: deque[_Text | _Gap | Event] = deque()
        self._thread: Thread | None = None
        self._lock = Lock()
        """Held for the queue and the thread, never while writing."""
        self._note: Note | None = None
        self._limit = UNREAD_BYTES
        self._accepted = self._done = self._unwritten = 0
        self._gap: _Gap | None = None

    def leave_out(self, note: Note, limit: int = UNREAD_BYTES) -> None:
        """From now on leave lines out while ``limit`` bytes are unread, and say how many."""
        self._note, self._limit = note, limit

    def put(self, write: Callable[[bytes], int], data: bytes) -> None:
        """Accept text. Never blocks."""
        with self._lock:
            if self._note and self._skips(write, data):
                return
            self._accepted += len(data)
            self._enqueue(_Text(write, data))

    def drain(self) -> None:
        """Wait for the reader; only ``LAST_SECONDS`` if lines may be left out."""
        written = Event()
        with self._lock:
            if self._thread is None and not self._queue:
                return
            self._enqueue(written)
        written.wait(LAST_SECONDS if self._note else None)

    def _skips(self, write: Callable[[bytes], int], data: bytes) -> bool:
        if self._gap is None or not self._gap.is_open:
            if self._accepted - self._done + len(data) <= self._limit:
                return False
            self._gap = _Gap(write)
            self._enqueue(self._gap)
        self._gap.lines += data.count(b"\n")
        return True

    def _enqueue(self, item: "_Text | _Gap | Event") -> None:
        self._queue.append(item)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="vlanlink-output", daemon=True)
            self._thread.start()

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while item := self._next():
            match item:
                case Event():
                    item.set()
                case _Gap():
                    self._unwritten += item.lines
                    self._tell_unwritten(item.write)
                case _Text(write, data):
                    left = self._write(write, data) if self._tell_unwritten(write) else data
                    self._unwritten += left.count(b"\n")
                    self._done += len(data)

    def _next(self) -> "_Text | _Gap | Event | None":
        with self._lock:
            if not self._queue:
                self._thread = None
                return None
            item = self._queue.popleft()
            if isinstance(item, _Gap):
                item.is_open = False
            elif isinstance(item, _Text):
                return _Text(item.write, item.data + b"".join(self._more_for(item.write)))
            return item

    def _more_for(self, write: Callable[[bytes], int]) -> Iterator[bytes]:
        """What waits behind it for the same file: one write(2) does."""
        while self._queue:
            item = self._queue[0]
            if not isinstance(item, _Text) or item.write != write:
                return
            self._queue.popleft()
            yield item.data

    def _tell_unwritten(self, write: Callable[[bytes], int]) -> bool:
        """Write the note, if lines were left out; False if the file still can't be written."""
        if self._unwritten and self._note:
            if self._write(write, self._note(self._unwritten).encode()):
                return False
            self._unwritten = 0
        return True

    def _write(self, write: Callable[[bytes], int], data: bytes) -> bytes:
        """Write it, and return what can't be written."""
        while data:
            try:
                data = data[write(data) :]
            except OSError as error:
                self.error = self.error or error
                return data
        return data


class Stream(io.TextIOBase):
    """A text stream whose ``write`` hands the text to a channel."""

    def __init__(self, stream: TextIO, channel: Channel) -> None:
        """``stream`` is what the channel writes to."""
        self._stream = stream
        self.channel = channel
        self._write = _writer(stream)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """True for a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Hand text on; what the encoding lacks is escaped."""
        self.channel.put(self._write, _encoded(text, self.encoding))
        return len(text)


_PLAIN: Final = str.maketrans({"→": "->", "…": "...", "─": "-", "├": "|", "└": "`", "·": "-"})
"""Spellings of our own signs where an encoding lacks them."""


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace")


def _writer(stream: TextIO) -> Callable[[bytes], int]:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # in memory

        def write(data: bytes) -> int:
            stream.write(data.decode(stream.encoding or "utf-8"))
            return len(data)

        return write
    return lambda data: _write_some(descriptor, data)


def _write_some(descriptor: int, data: bytes) -> int:
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # somebody else made it non-blocking
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


class Streams(NamedTuple):
    """Both streams of the command."""

    out: Channel
    err: Channel

    def drain(self) -> None:
        """Wait until everything is written, as ``Channel.drain``."""
        self.out.drain()
        self.err.drain()

    @property
    def reader_is_gone(self) -> bool:
        """True if a reader closed its end."""
        errors = (self.out.error, self.err.error)
        return any(isinstance(error, BrokenPipeError) for error in errors)


@contextmanager
def installed() -> Iterator[Streams]:
    """Put these streams in the place of stdout and stderr. One file keeps one order."""
    out, err = sys.stdout, sys.stderr
    channels = Streams(channel := Channel(), channel if _same_file(out, err) else Channel())
    sys.stdout = cast("TextIO", Stream(out, channels.out))
    sys.stderr = cast("TextIO", Stream(err, channels.err))
    try:
        yield channels
    finally:
        sys.stdout, sys.stderr = out, err


def drain() -> None:
    """Wait for the readers of stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Stream):
            stream.channel.drain()


def leave_out(out: Note, err: Note) -> None:
    """Let stdout and stderr leave lines out while nobody reads them."""
    for stream, note in ((sys.stderr, err), (sys.stdout, out)):
        if isinstance(stream, Stream):
            stream.channel.leave_out(note)


def _same_file(one: TextIO, other: TextIO) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))
    return one is other
