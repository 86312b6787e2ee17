"""The examples that need no kernel, and that all of them are told of."""

from pathlib import Path

import pytest

import vlanlink

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))


def test_s19_every_mistake_is_shown_at_its_place_in_one_run() -> None:
    with pytest.raises(vlanlink.TopologyError) as caught:
        vlanlink.load(ROOT / "examples/19-mistakes.toml")
    found = {(d.line, d.message.partition(",")[0]) for d in caught.value.diagnostics}
    assert found == {
        (11, "id = 0 is out of range"),
        (16, "id = 4095 is out of range"),
        (20, "VLAN id 5000 is out of range"),
        (25, '"172.16.4.1/24" has a prefix length; write a bare address here'),
        (30, "gateway 172.16.6.1 is outside its subnet 172.16.5.0/24"),
        (38, "network other-kind (ipvlan) and network good (macvlan) share parent eth0.6"),
        (47, "network l3 has mode l3"),
        (55, "two/eth0 has 172.16.6.10"),
    }
    assert all(d.hint and d.column and d.column > 1 for d in caught.value.diagnostics)


def test_s19_a_network_written_twice_names_both_lines() -> None:
    text = '[networks.a]\nkind = "macvlan"\n[networks.b]\nkind = "macvlan"\n[networks.a]\n'
    with pytest.raises(vlanlink.TopologyError, match=r"line 1") as caught:
        vlanlink.load("twice.toml", text=text)
    assert [d.line for d in caught.value.diagnostics] == [5]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_says_what_it_shows_and_stands_in_the_readme(path: Path) -> None:
    assert path.read_text().startswith("# ")
    assert f"examples/{path.name}" in (ROOT / "README.md").read_text()
