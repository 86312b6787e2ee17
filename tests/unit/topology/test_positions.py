"""Paths to lines and columns, in every way that TOML can spell a path."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.errors import Path, Problem, TopologyError
from vlanlink.topology import Source, parse, toml
from vlanlink.topology.positions import Span, as_toml_1_0

TEXT = """\
top = 1
# comment ü
[a.b]
plain = "x"
"quo\\u0074ed key" = 2
'lit.eral' = 3
dot.ted.key = true
\ttabbed\t=\t"t"
"ü" = "ä ö"
[a."c.d"]
list = [ 1, # one
  "two",
  { three = 3, four.five = [ { six = 6 } ] },
]
multi = \"\"\"
text\"\"\"
[[arr]]
n = 1
[[arr]]
n = 2
[arr.sub]
n = 3
[[arr.deep]]
n = 4
[[arr.deep]]
n = 5
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("top",), (1, 7, 1), (1, 1, 3)),
        (("a",), (3, 2, 1), (3, 2, 1)),
        (("a", "b"), (3, 4, 1), (3, 4, 1)),
        (("a", "b", "plain"), (4, 9, 3), (4, 1, 5)),
        (("a", "b", "quoted key"), (5, 21, 1), (5, 1, 17)),
        (("a", "b", "lit.eral"), (6, 14, 1), (6, 1, 10)),
        (("a", "b", "dot"), (7, 1, 3), (7, 1, 3)),
        (("a", "b", "dot", "ted", "key"), (7, 15, 4), (7, 9, 3)),
        (("a", "b", "tabbed"), (8, 11, 3), (8, 2, 6)),
        (("a", "b", "ü"), (9, 7, 5), (9, 1, 3)),
        (("a", "c.d"), (10, 4, 5), (10, 4, 5)),
        (("a", "c.d", "list"), (11, 8, 10), (11, 1, 4)),
        (("a", "c.d", "list", 0), (11, 10, 1), (11, 10, 1)),
        (("a", "c.d", "list", 1), (12, 3, 5), (12, 3, 5)),
        (("a", "c.d", "list", 2, "three"), (13, 13, 1), (13, 5, 5)),
        (("a", "c.d", "list", 2, "four", "five", 0, "six"), (13, 38, 1), (13, 32, 3)),
        (("a", "c.d", "multi"), (15, 9, 3), (15, 1, 5)),
        (("arr", 0, "n"), (18, 5, 1), (18, 1, 1)),
        (("arr", 1, "n"), (20, 5, 1), (20, 1, 1)),
        (("arr", 1), (19, 3, 3), (19, 3, 3)),
        (("arr", 1, "sub", "n"), (22, 5, 1), (22, 1, 1)),
        (("arr", 1, "deep", 1, "n"), (26, 5, 1), (26, 1, 1)),
        (("a", "b", "missing", "deeper"), (3, 4, 1), (3, 4, 1)),
        (("a", "c.d", "list", 9), (11, 1, 4), (11, 1, 4)),
        (("nowhere",), (1, 1, 1), (1, 1, 1)),
        ((), (1, 1, 1), (1, 1, 1)),
    ],
)
def test_places(path: Path, value: tuple[int, int, int], key: tuple[int, int, int]) -> None:
    source = Source(TEXT)
    assert source.place(path) == Span(*value)
    assert source.place(path, at_key=True) == Span(*key)


def test_line_ends_and_marks_of_windows() -> None:
    text = '\ufeff[links.d0]\r\nkind = "dummy"\r\nmtu = 1400\r\n'
    topology = parse(text)
    one = topology.diagnose(Problem(("links", "d0", "mtu"), "too much"))
    assert (one.line, one.column, one.width, one.source) == (3, 7, 4, "mtu = 1400")


def test_a_diagnosis_shows_the_line_and_names_the_other() -> None:
    topology = parse('[links.a]\nkind = "dummy"\n[links.b]\n\tkind = "dummy"\n', "a.toml")
    problem = Problem(("links", "b", "kind"), "as a's", "say why", related=("links", "a"))
    assert str(topology.diagnose(problem, "warning")) == (
        "a.toml:4:9: warning: as a's (line 1)\n"
        '   kind = "dummy"\n'
        "          ^~~~~~~\n"
        "  hint: say why"
    )


def test_a_long_line_is_cut() -> None:
    topology = parse('[links.a]\nkind = "dummy" # ' + "x" * 1000)
    shown = topology.diagnose(Problem(("links", "a", "kind"), "m")).source
    assert shown is not None
    assert len(shown) < 200
    assert shown.endswith("…")


def test_a_place_far_to_the_right_is_not_shown() -> None:
    names = ", ".join(f'"n{at}"' for at in range(100))
    topology = parse(f'[links.a]\nkind = "dummy"\naltnames = [{names}]')
    one = topology.diagnose(Problem(("links", "a", "altnames", 99), "m"))
    assert one.column == 696
    assert one.source is None


TOML_1_1 = """\
[a]
one = {
  x = 1, # a comment with } and ,
  "y\\e" = "\\x41 { \\" }",
  deep = {
    list = [ 1,
      { "ü" = 2, },
    ], # more
  },
}
after = 3
[b]
two = {
}
three = { z = 'lit }', multi = \"\"\"
 { \\\"\"\" }
\"\"\", last = 1 }
"""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "one", "x"), (3, 7, 1)),
        (("a", "one", "y\x1b"), (4, 11, 13)),
        (("a", "one", "deep", "list", 0), (6, 14, 1)),
        (("a", "one", "deep", "list", 1, "ü"), (7, 15, 1)),
        (("a", "after"), (11, 9, 1)),
        (("b", "two"), (13, 7, 1)),
        (("b", "three", "z"), (15, 15, 7)),
        (("b", "three", "last"), (17, 13, 1)),
    ],
)
def test_toml_1_1(path: Path, value: tuple[int, int, int]) -> None:
    assert Source(TOML_1_1).place(path) == Span(*value)
    assert toml.loads(TOML_1_1)["a"]["after"] == 3


def shape(value: object) -> object:
    if isinstance(value, dict):
        return [shape(one) for one in value.values()]
    if isinstance(value, list):
        return ("array", [shape(one) for one in value])
    return type(value)


BLANKS = st.sampled_from(["", " ", "\n", " # } , {\n"])
VALUES: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["1", '"a\\e}"', "'{'", '"""\n{"""', "[1,\n2]"]),
    lambda inner: st.builds(
        lambda blank, values, comma: (
            f"{{{blank}"
            + f",{blank}".join(f"k{at} = {value}" for at, value in enumerate(values))
            + (f"{comma}{blank}}}" if values else "}")
        ),
        BLANKS,
        st.lists(inner, max_size=3),
        st.sampled_from(["", ",", "\n,"]),
    ),
    max_leaves=8,
)


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_what_is_blanked_to_toml_1_0_says_the_same(values: list[str]) -> None:
    text = "".join(f"v{at} = {value}\n" for at, value in enumerate(values))
    old = as_toml_1_0(text.encode())
    assert len(old) == len(text.encode())
    found = toml.loads(text)
    assert shape(tomllib.loads(old.decode())) == shape(found)
    source = Source(text)
    assert all(source.place((key,)).line for key in found)
    assert not source.index.doubled


@given(st.text(st.sampled_from("{}[]=,.\"'#\\ \nax1"), max_size=60))
def test_whatever_is_blanked_keeps_its_length(text: str) -> None:
    assert len(as_toml_1_0(text.encode())) == len(text)


def test_a_problem_inside_a_table_over_several_lines() -> None:
    text = (
        '[networks.pub]\nkind = "macvlan"\nparent = "eth0"\nsubnets = [{\n'
        '  subnet = "192.0.2.0/24",\n  gateway = "192.0.3.1",\n}]\n'
    )
    with pytest.raises(TopologyError) as caught:
        parse(text)
    assert [(one.line, one.column) for one in caught.value.diagnostics] == [(6, 13)]
