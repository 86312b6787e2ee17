"""A tenant, who may do what it likes in one namespace, forges marks and moves things about.

Inside a namespace the record is the truth: what the tenant writes there convinces nobody.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from vlanlink.kernel.marks import Marks
from vlanlink.kernel.netns.identity import identify

pytestmark = pytest.mark.needs("macvlan")

OFFICE = small("office", one="172.16.86.10", two="172.16.86.11")
OTHER = OFFICE.replace('"office"', '"other"').replace("s.one", "s.three").replace("s.two", "s.four")
OTHER = OTHER.replace("86.10", "86.20").replace("86.11", "86.21")


def load(text: str = OFFICE) -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=text)


def record(name: str = "office") -> Path:
    return Path(f"/run/vlanlink/{name}@{identify(None)}.json")


def group(topology: str) -> int:
    return Marks(identify(None)).group(topology)


def mark(topology: str, link: str = "lo") -> str:
    return f"link set {link} group {group(topology)} alias vlanlink:{topology}"


FORGERIES: dict[str, Callable[[], str]] = {
    "no group": lambda: "link set lo group 0",
    "another group": lambda: "link set lo group 77",
    "an unknown group of ours": lambda: f"link set lo group {group('nobody') ^ 1}",
    "another topology's mark": lambda: mark("other"),
    "a ghost's mark": lambda: mark("ghost"),
    "its own words": lambda: "link set lo alias mine\x1b[31m\x0cfake:",
    "eth0 unmarked": lambda: "link set eth0 group 0",
    "eth0 another's": lambda: mark("other", "eth0"),
    "eth0 a ghost's": lambda: mark("ghost", "eth0"),
}


def tamper(lan: Lan, how: str) -> None:
    lan.world.run(["ip", *FORGERIES[how]().split(" ")], "one")


@pytest.fixture
def up(lan: Lan) -> Lan:
    vlanlink.up(load())
    vlanlink.up(load(OTHER))
    return lan


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_mark_is_drift_and_mended(up: Lan, how: str) -> None:
    before = dump(up.world)
    tamper(up, how)
    found = vlanlink.status("office")
    assert found.state == "drifted"
    link = "eth0" if how.startswith("eth0") else "lo"
    assert [(c.namespace, c.name) for c in found.plan.changes] == [("one", link)]
    assert {(s.topology, s.state) for s in vlanlink.status()} == {
        ("office", "drifted"), ("other", "up"),
    }  # fmt: skip
    vlanlink.up(load())
    same(up.world, before)
    assert vlanlink.status("office").state == "up"


@pytest.mark.parametrize("how", FORGERIES)
def test_down_takes_all_whatever_the_marks_say(lan: Lan, how: str) -> None:
    before = dump(lan.world)
    vlanlink.up(load())
    vlanlink.up(load(OTHER))
    tamper(lan, how)
    vlanlink.down("office")
    assert lan.world.namespaces() == {"three", "four"}
    assert not record().exists()
    assert vlanlink.status("other").state == "up"
    vlanlink.down("other")
    same(lan.world, before)


@pytest.mark.parametrize("how", ["no group", "another topology's mark", "its own words"])
def test_a_lost_record_leaves_the_word_to_the_marks(up: Lan, how: str) -> None:
    """Then a forgery costs its own namespace only, and it is said that the record is lost."""
    tamper(up, how)
    record().unlink()
    assert vlanlink.status("office").state == "drifted"
    vlanlink.down(load())
    assert "two" not in up.world.namespaces()
    assert vlanlink.status("other").state == "up"
    assert {"three", "four"} <= up.world.namespaces()


def test_a_forged_mark_elsewhere_is_nobodys(up: Lan) -> None:
    """A stranger's namespace that claims to be ours is left alone."""
    up.world.ip("netns add stranger")
    up.world.ip(mark("office"), "stranger")
    up.world.ip("link add d0 type veth peer name d1", "stranger")
    up.world.ip(mark("office", "d0"), "stranger")
    assert vlanlink.status("office").state == "up"
    assert vlanlink.up(load()).operations == ()
    vlanlink.down("office")
    assert "stranger" in up.world.namespaces()
    assert "d0" in up.world.names("stranger")


Replace = Callable[[Lan], None]


def by_a_pair(lan: Lan) -> None:
    lan.world.ip("link del eth0", "one")
    lan.world.ip("link add eth0 type veth peer name p0", "one")
    lan.world.ip(mark("office", "eth0"), "one")


def by_renaming(lan: Lan) -> None:
    lan.world.ip("link set eth0 down", "one")
    lan.world.ip("link set eth0 name mine", "one")
    by_a_pair_alone(lan)


def by_a_pair_alone(lan: Lan) -> None:
    lan.world.ip("link add eth0 type veth peer name p0", "one")


def by_an_altname(lan: Lan) -> None:
    lan.world.ip("link del eth0", "one")
    lan.world.ip("link add m0 type veth peer name p0", "one")
    lan.world.ip("link property add dev m0 altname eth0", "one")


def lo_renamed(lan: Lan) -> None:
    lan.world.ip("link set lo down", "one")
    lan.world.ip("link set lo name mine", "one")


HOSTILE = "-x;id>\x1b'$(id)"
"""A link's name that runs commands in the shell of who copies a hint as it stands."""


def by_a_hostile_altname(lan: Lan) -> None:
    lan.world.ip("link del eth0", "one")
    lan.world.run(["ip", "link", "add", "m0", "type", "veth", "peer", "name", "p0"], "one")
    lan.world.ip("link property add dev m0 altname eth0", "one")
    lan.world.run(["ip", "link", "set", "dev", "m0", "name", HOSTILE], "one")


def lo_renamed_to_commands(lan: Lan) -> None:
    lan.world.ip("link set lo down", "one")
    lan.world.run(["ip", "link", "set", "dev", "lo", "name", HOSTILE], "one")


@pytest.mark.parametrize("replace", [by_a_hostile_altname, lo_renamed_to_commands])
def test_a_hint_runs_nothing_that_a_tenant_wrote(
    up: Lan, replace: Replace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(up)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(load())
    command = (caught.value.diagnostics[0].hint or "").partition(", then")[0]
    assert command.isprintable()
    up.world.run(["bash", "-c", command])
    assert list(tmp_path.iterdir()) == []
    vlanlink.up(load())
    assert vlanlink.status("office").state == "up"


@pytest.mark.parametrize("replace", [by_a_pair, by_renaming, by_an_altname, lo_renamed])
def test_up_refuses_what_a_tenant_put_in_place(up: Lan, replace: Replace) -> None:
    """It names what was done, and the way out works. Nothing is changed until then."""
    replace(up)
    before = dump(up.world)
    found = vlanlink.status("office")
    assert found.state == "drifted"
    assert any("one" in problem.message for problem in found.problems)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(load())
    (problem,) = caught.value.diagnostics
    assert "one" in problem.message
    same(up.world, before)
    command = (problem.hint or "").partition(",")[0]
    up.world.run(command)
    vlanlink.up(load())
    assert vlanlink.status("office").state == "up"
    up.world.reaches("one", "172.16.86.11")


@pytest.mark.parametrize("replace", [by_a_pair, by_renaming, by_an_altname, lo_renamed])
def test_down_says_what_it_could_not_take(up: Lan, replace: Replace) -> None:
    replace(up)
    done = vlanlink.down("office")
    left = up.world.namespaces() - {"three", "four"}
    said = " ".join(note.message for note in done.notes)
    assert left <= {"one"}
    assert all(name in said for name in left)
    assert record().exists() is bool(left)
