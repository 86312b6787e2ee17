"""No TOML: all of it in one run, and nothing that is not so."""

import pytest

from vlanlink.errors import TopologyError
from vlanlink.topology import parse


def places(text: str) -> list[tuple[int | None, int | None]]:
    with pytest.raises(TopologyError) as caught:
        parse(text)
    return [(one.line, one.column) for one in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[links.a\nkind = 1", [(1, 9)]),
        ("a = 1 b = 2", [(1, 7)]),
        ("a = [1,\nb = 2\nc = 3\n", [(2, 1)]),
        ("= 1", [(1, 1)]),
        ('x = "open\ny = 1\n', [(1, 10)]),
        ('a = """\nopen\n', [(1, 1)]),
        ("a = 'open", [(1, 1)]),
        ("d = 2020-13-01", [(1, 9)]),
        ('e = "\\q"', [(1, 8)]),
        ("i = 01", [(1, 6)]),
        ("\n\nkey\n\n[t]]\nx = y\n", [(3, 4), (5, 4), (6, 5)]),
        ("[links]\nb.c = 1\n[links.b]\nd = 1", [(2, 1), (2, 3), (3, 8)]),
        ("links = { }\n[links.c]\n", [(2, 2)]),
        ("links = [1]\n[[links]]\n", [(1, 9), (2, 3)]),
        ("links = 1\n[links]\nb = 1\n", [(1, 9), (2, 2)]),
    ],
)
def test_where(text: str, expected: list[tuple[int, int]]) -> None:
    assert places(text) == expected


def test_after_a_syntax_error_only_syntax_errors() -> None:
    assert places('[links.lo]\nkind = "bridge"\nmtu = = 3\n') == [(3, 7)]


def test_twice_in_two_ways() -> None:
    text = '[links.a]\nkind = "dummy"\n[links]\na.kind = "dummy"\n'
    with pytest.raises(TopologyError) as caught:
        parse(text)
    assert "twice" in str(caught.value)
