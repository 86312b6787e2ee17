"""Where others than root can write, or root sees less than all: /run/netns, /proc with hidepid."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import until
from vlanlink.kernel import syscalls

pytestmark = pytest.mark.needs("macvlan")

TEXT = small("office", one="172.16.86.10")


def load() -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=TEXT)


def test_no_namespace_is_named_where_others_can_swap_the_file(lan: Lan) -> None:
    before = lan.world.namespaces()
    directory = Path("/run/netns")
    directory.mkdir(exist_ok=True)
    directory.chmod(0o777)
    with pytest.raises(vlanlink.VlanlinkError, match="others may write it") as caught:
        vlanlink.up(load())
    assert "/run/netns" in str(caught.value)
    assert caught.value.exit_code == 4
    assert "chmod go-w" in str(caught.value.diagnostics[0].hint)
    assert {one.name for one in directory.iterdir()} == before
    directory.chmod(0o755)
    vlanlink.up(load())
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    vlanlink.down("office")


def test_a_user_who_locks_the_directory_of_names_holds_up_nobody(lan: Lan) -> None:
    """`ip netns add` locks it for the moment in which it is made a mount; who may read it can."""
    directory = Path("/run/netns")
    directory.mkdir(exist_ok=True)
    as_user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    lan.world.start(f"{as_user} flock --no-fork {directory} sleep 1000")
    free = f"flock --nonblock {directory} true"
    until(lambda: lan.world.run(free, check=False).returncode == 1, "it holds the lock")
    lan.world.run(["timeout", "--signal=KILL", "60", VLANLINK, "up", "-"], stdin=TEXT)
    assert lan.world.namespaces() == {"one"}
    lan.world.run([VLANLINK, "down", "office"])


@pytest.fixture(params=["invisible", "ptraceable"])
def hidden(lan: Lan, request: pytest.FixtureRequest) -> Iterator[Lan]:
    """/proc shows users their own processes only."""
    syscalls.mount("proc", "/proc", "proc", 0, f"hidepid={request.param}")
    yield lan
    syscalls.unmount("/proc")


def test_processes_are_seen_where_proc_hides_them(hidden: Lan) -> None:
    vlanlink.up(load())
    words = "setpriv --reuid=65534 --regid=65534 --clear-groups sleep 1000"
    process = hidden.world.start(words, "one")
    until(
        lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "it runs as that user"
    )
    other = "setpriv --reuid=65533 --regid=65533 --clear-groups ls /proc"
    listing = hidden.world.run(other).stdout.split()
    assert str(process.pid) not in listing
    done = vlanlink.down("office")
    assert any(f"(pid {process.pid})" in str(note.message) for note in done.notes)
    assert hidden.world.namespaces() == {"one"}
    process.kill()
    process.wait()
    hidden.world.ip("netns delete one")
