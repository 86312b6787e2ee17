"""One mistake is told once: what only its removal makes wrong is not told at all."""

import pytest

from vlanlink.errors import TopologyError
from vlanlink.topology import load, parse

NETWORK = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "192.0.2.0/24", gateway = "192.0.2.1" }]
"""


def lines(text: str) -> list[int | None]:
    with pytest.raises(TopologyError) as caught:
        parse(text)
    return [one.line for one in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[links.a]\nkind = "vlan"\nparent = "eth0"\nid = 5000', [4]),
        ('[links.a]\nkind = "vlam"\nparent = "eth0"\nid = 50', [2]),
        ('[links.a]\nknid = "vlan"\nparent = "eth0"\nid = 50', [2]),
        ('[links.a]\nkind = "vlan"\nparent = 5\nid = 50', [3]),
        ('[links.a]\nkind = "veth"\npeer = { nam = "b" }', [3]),
        ('[links.a]\nkind = "veth"\npeer = "b"', [3]),
        ('[networks.a]\nkind = "macvlan"\nparent = 0', [3]),
        ('[networks.a]\nkind = "macvlan"\nmode = "pasthru"\nparent = "e"\ntake_parent = true', [3]),
        ('[networks.a]\nkind = "macvlan"\nmode = "vep"\nparent = "e"\nhairpin = true', [3]),
        (
            '[networks.a]\nkind = "macvlan"\nmode = "sorce"\nparent = "e"\n'
            'source_macs = ["02:00:00:00:00:01"]',
            [3],
        ),
        (
            '[networks.a]\nkind = "ipvlan"\nmode = "l4"\nparent = "e"\n'
            '[networks.b]\nkind = "ipvlan"\nmode = "l3"\nparent = "e"',
            [3],
        ),
        ('[topology]\nname = "a b"\n[links.a]\nmtu = 5\nkind = "dummy"', [2, 4]),
        ("topology = 5", [1]),
        ("networks = 5\n[namespaces.w.interfaces.e]\nnetwork = 'pub'", [1]),
        ('[networks.pub]\nkind = "x"\n[namespaces.w.interfaces.e]\nnetwork = "pub"', [2]),
        (
            '[networks.pub]\nkind = "macvlan"\nparent = "e"\n'
            'subnets = [{ subnet = "10.0.0.1/8" }]\n'
            '[namespaces.w.interfaces.e]\nnetwork = "pub"\naddresses = ["10.0.0.5"]\n'
            'routes = [{ to = "11.0.0.0/8", via = "10.0.0.1" }]\ndefault_route = true',
            [4],
        ),
        (
            '[networks.pub]\nkind = "macvlan"\nparent = "e"\nsubnets = [{ subnet = "10.0.0.0/8", '
            'gateway = "10.0.0.1/8" }]\n[namespaces.w.interfaces.e]\nnetwork = "pub"\n'
            'addresses = ["10.0.0.5"]\ndefault_route = true',
            [4],
        ),
        (f'{NETWORK}[namespaces.w.interfaces.e]\nnetwork = "pub"\naddresses = ["192.0.2.5x"]', [8]),
        (f'{NETWORK}[namespaces.w.interfaces.e]\nnetwork = 3\naddresses = ["192.0.2.5"]', [7]),
        (f'{NETWORK}[namespaces.w.interfaces.e]\nnetwrk = "pub"\naddresses = ["192.0.2.5"]', [7]),
        (f'{NETWORK}[namespaces.w]\npid = "x"\n[links.v]\nkind = "veth"\n'
         'peer = { name = "u", namespace = "w" }', [7]),
        ('[namespaces]\nw = 3\n[links.v]\nkind = "veth"\npeer = { name = "u", namespace = "w" }',
         [2]),
    ],
)  # fmt: skip
def test_nothing_follows(text: str, expected: list[int]) -> None:
    assert lines(text) == expected


def test_lists_keep_count_when_entries_go() -> None:
    text = NETWORK + (
        '[namespaces.w.interfaces.e]\nnetwork = "pub"\n'
        'addresses = [\n"oops",\n"192.0.2.5",\n"no",\n"198.51.100.1"]\n'
    )
    assert lines(text) == [9, 11, 12]


def test_the_rest_of_a_file_is_still_checked() -> None:
    text = '[links.a]\nkind = "vlan"\n[links.b]\nkind = "dummy"\nparent = "a"\n[links.lo]\nmtu = 1'
    assert lines(text) == [1, 5, 6, 6, 7]


def test_what_is_written_twice_does_not_hide_the_rest() -> None:
    text = (
        '[links.a]\nkind = "dummy"\nmtu = 1\n[links.a]\nkind = "dummy"\n[links.lo]\nkind = "dummy"'
    )
    assert lines(text) == [3, 4, 6]


def test_doubled_in_an_inline_table_drops_the_statement_without_an_echo() -> None:
    text = '[links.v]\nkind = "veth"\npeer = { name = "a", name = "b" }\n'
    assert lines(text) == [3]


def test_problems_of_code_are_told_by_path() -> None:
    with pytest.raises(TopologyError) as caught:
        load({"topology": {"name": "x"}, "links": {"a": {"kind": "vlan", "id": 0}}})
    first = caught.value.diagnostics[0]
    assert (first.file, first.line) == (None, None)
    assert first.path == ("links", "a", "id")
    assert str(first).startswith("error: links.a.id: ")


LONG = '[networks.pub]\nkind = "macvlan"\nparent = "enp129s0f1np1.100"\n'


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ("", '[links.vlan100] with parent = "enp129s0f1np1" and id = 100, then write parent ='),
        ('[links.vlan100]\nkind = "dummy"\n', "[links.v100] with parent ="),
        (
            '[links.office]\nkind = "vlan"\nparent = "enp129s0f1np1"\nid = 100\n',
            'write parent = "office", or remove office',
        ),
        (
            '[namespaces.w.interfaces.v]\nkind = "vlan"\nparent = "enp129s0f1np1"\nid = 100\n',
            "write another parent, or remove w/v",
        ),
    ],
)
def test_the_hint_for_a_long_name_can_be_followed(more: str, hint: str) -> None:
    with pytest.raises(TopologyError) as caught:
        parse(LONG + more)
    (problem,) = caught.value.diagnostics
    assert hint in str(problem.hint)
