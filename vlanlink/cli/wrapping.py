"""Lines that fit a terminal: broken between words, with a hanging indent.

Words, quoted text and commands are never broken. A command that doesn't fit beside other text gets
a line of its own, so that it can be copied; the terminal itself breaks what is wider than it is.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from vlanlink.cli.verbs import VERBS

HANG: Final = 4
_SHORT: Final = 2
"""Spaces in a command that is typed rather than copied."""
_PROGRAMS: Final = (
    r"ip (?=-|(?:address|link|netns|property|route|rule) [a-z])|sysctl (?=-)"
    r"|(?:bridge|chmod|chown|docker|ethtool|iptables|ip6tables|modprobe|mount|networkctl|nft|nmcli"
    r"|nsenter|pip|pipx|podman|printf|resolvectl|rm|Set-VMNetworkAdapter|systemctl|ulimit"
    r"|VBoxManage) "
)
_Atom = tuple[str, str, bool]
"""The spaces before what is never broken, its text, and whether it is a command."""
_PROSE: Final = (  # words of a sentence that begins with a command
    r"(?:adds|again|ahead|and|are|as|brings|clears|comes|didn't|failed|first|frees|gives|if|instead|is"
    r"|it|keeps|list|lists|makes|needs|once|or|removes|sees|shows|takes|then|to)\b"
)


def fitted(line: str, width: int, hang: str | None = None) -> list[str]:
    """``line`` in lines of ``width`` columns; all but the first begin with ``hang``."""
    if len(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip(" "))]
    hang = f"{start}{' ' * HANG}" if hang is None else hang
    return list(_lines(start, _atoms(line[len(start) :]), width, hang))


def _lines(start: str, atoms: Iterator[_Atom], width: int, hang: str) -> Iterator[str]:
    line, is_empty, is_alone = start, True, False
    for gap, text, is_command in atoms:
        breaks = not is_empty and len(line) + len(gap) + len(text) > width
        if breaks or is_alone:
            yield line
            line, is_alone = f"{hang}{text}", breaks and is_command and text.count(" ") > _SHORT
        else:
            line = f"{line}{gap}{text}"
        is_empty = False
    yield line


def _atoms(text: str) -> Iterator[_Atom]:
    for found in _pattern().finditer(text):
        yield found["gap"], found["atom"], found["command"] is not None


@cache
def _pattern() -> re.Pattern[str]:
    """A gap and an atom. Compiled where a line is too long, which most runs don't see."""
    word = r"""(?:"[^"]*"|\[[^\]]*\]|[^ "\[]|["\[])+"""
    ours = rf"(?:\S*/)?(?:vlanlink|\S+ -m vlanlink) (?=(?:{'|'.join(VERBS)})\b|…)"
    argument = r"""(?:'[^']*'|"[^"]*"|[^ '",;()\[\]`])+"""
    command = (
        rf"(?:[(`]|→ )?(?:[A-Z_]+=\S+ )*(?:sudo )?(?:{ours}|{_PROGRAMS}){argument}"
        rf"(?: (?!{_PROSE}){argument})*"
    )
    return re.compile(rf"(?P<gap> *)(?P<atom>(?P<command>{command})[^ ]*|{word})")


def cropped(source: str, caret: str, width: int) -> tuple[str, str]:
    """A line and the caret below it, cut to ``width`` columns around the caret."""
    if len(source) <= width:
        return source, caret[:width]
    begin = len(caret) - len(caret.lstrip(" "))
    end = min(len(caret), begin + width // 2)
    shift = max(0, min(end - width + width // 4, len(source) - width))
    window = source[shift : shift + width]
    window = f"…{window[1:]}" if shift else window
    window = f"{window[:-1]}…" if shift + width < len(source) else window
    return window, caret[shift : shift + width]
