"""Attachments: endpoints in namespaces that others own and end at any time."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from tests.kernel.attaching import OFFICE, end, fake_podman, inside, office, start_container
from tests.kernel.command_line import VLANLINK
from tests.kernel.examples import example
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.world import World, ended, until
from vlanlink.kernel import syscalls
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.store.attached import AttachmentRecord

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.needs("macvlan"), pytest.mark.usefixtures("lan")]


@pytest.fixture
def container(world: World) -> Callable[[], int]:
    """Starts a process in a new network namespace, as of a container; its pid."""
    return lambda: start_container(world)


def test_an_attachment_is_an_endpoint(lan: Lan, world: World, container: Callable[[], int]) -> None:
    lan.station("router", "172.16.3.1/24")
    vlanlink.up(office())
    pid = container()
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    assert found.addresses == ("172.16.3.2/26".replace("/26", "/24"),)
    assert found.gateways == ("172.16.3.1",)
    assert (found.interface, found.live, found.id) == ("eth0", True, "c1")
    shown = inside(world, pid, "ip -br addr show eth0")
    assert "172.16.3.2/24" in shown
    assert found.mac
    assert found.mac in inside(world, pid, "ip link show eth0")
    assert "default via 172.16.3.1" in inside(world, pid, "ip route")
    inside(world, pid, "ping -n -c1 -W5 172.16.3.1")
    inside(world, pid, "ping -n -c1 -W5 172.16.3.15")
    assert vlanlink.status("office").state == "up"
    assert not vlanlink.up(office()).changes
    (network,) = vlanlink.networks()
    assert network.endpoints == 2
    endpoints = {one.namespace: one for one in vlanlink.inspect("pub").endpoints}
    assert endpoints["c1"].addresses == ("172.16.3.2/24",)
    assert vlanlink.attachments() == (found,)
    report = vlanlink.verify("office")
    assert report.ok
    assert {("web", "c1"), ("c1", "web")} <= {(c.source, c.target) for c in report.checks}
    assert vlanlink.attach("office/pub", pid=pid, id="c1") == found
    found.detach()
    assert "eth0" not in inside(world, pid, "ip -br link")
    assert vlanlink.attachments() == ()
    assert vlanlink.status("office").state == "up"


def test_the_end_of_a_namespace_ends_it_and_the_id_keeps_what_it_had(
    world: World, container: Callable[[], int]
) -> None:
    vlanlink.up(office("shim = true"))
    first, second = container(), container()
    one = vlanlink.attach("office/pub", pid=first, id="c1")
    vlanlink.attach("office/pub", pid=second, id="c2", addresses=["172.16.3.200"])
    assert vlanlink.status("office").state == "up"
    world.reaches("", "172.16.3.200")
    end(world, first)
    told = vlanlink.status("office")
    assert told.state == "up", str(told.plan)
    assert not vlanlink.status("office").problems
    assert {(a.id, a.live) for a in vlanlink.attachments()} == {("c1", False), ("c2", True)}
    assert not vlanlink.up(office("shim = true")).changes
    third = container()
    assert vlanlink.attach("office/pub", pid=third, id="c3").addresses == ("172.16.3.3/24",)
    again = vlanlink.attach("office/pub", path=f"/proc/{container()}/ns/net", id="c1")
    assert (again.addresses, again.mac) == (one.addresses, one.mac)


def test_down_removes_live_attachments(world: World, container: Callable[[], int]) -> None:
    before = dump(world)
    vlanlink.up(office("shim = true"))
    pids = [container() for _ in range(3)]
    found = [vlanlink.attach("office/pub", pid=pid, id=f"c{pid}") for pid in pids]
    end(world, pids[0])
    done = vlanlink.down("office")
    assert {c.namespace for c in done.changes if c.object == "link"} >= {f"c{p}" for p in pids[1:]}
    for pid in pids[1:]:
        assert "eth0" not in inside(world, pid, "ip -br link")
    same(world, before)
    assert [name for name in os.listdir("/run/vlanlink") if not name.startswith("lock")] == []
    assert {one.live for one in vlanlink.attachments("office")} == {False}
    vlanlink.up(office("shim = true"))
    again = vlanlink.attach("office/pub", pid=pids[2], id=f"c{pids[2]}")
    assert (again.addresses, again.mac) == (found[2].addresses, found[2].mac)
    vlanlink.down("office", forget=True)
    assert vlanlink.attachments() == ()


def test_a_network_that_is_made_again_takes_its_attachments_along(
    world: World, container: Callable[[], int]
) -> None:
    vlanlink.up(office())
    pid = container()
    before = vlanlink.attach("office/pub", pid=pid, id="c1")
    vlanlink.up(office('mode = "private"'))
    (link,) = (
        line
        for line in inside(world, pid, "ip -d link show eth0").splitlines()
        if "macvlan" in line
    )
    assert "mode private" in link
    (after,) = vlanlink.attachments("office/pub")
    assert after == before
    moved = OFFICE.format(keys="", range="172.16.4.0/26").replace("172.16.3.", "172.16.4.")
    vlanlink.up(vlanlink.load("/run/office.toml", text=moved))
    (after,) = vlanlink.attachments("office/pub")
    assert after.addresses == ("172.16.4.2/24",)
    assert "172.16.4.2/24" in inside(world, pid, "ip -br addr show eth0")
    assert vlanlink.status("office").state == "up"


def test_a_network_that_leaves_the_file_ends_its_attachments(
    world: World, container: Callable[[], int]
) -> None:
    other = '[networks.lan]\nkind = "macvlan"\nparent = "eth0"\nsubnets = []\nprobe = false\n'
    vlanlink.up(office(more=other))
    pid = container()
    vlanlink.attach("office/lan", pid=pid, id="c1")
    planned = vlanlink.plan(office())
    assert any("attachment c1 ends" in note.message for note in planned.notes)
    assert ("delete", "c1", "eth0") in {(c.action, c.namespace, c.name) for c in planned.changes}
    vlanlink.up(office())
    assert "eth0" not in inside(world, pid, "ip -br link")
    assert vlanlink.attachments() == ()


def test_a_full_range_takes_back_what_ended_first(
    world: World, container: Callable[[], int]
) -> None:
    topology = office(ip_range="172.16.3.64/30")
    vlanlink.up(topology)
    pids = [container() for _ in range(4)]
    had = [vlanlink.attach("office/pub", pid=p, id=f"c{n}").addresses for n, p in enumerate(pids)]
    with pytest.raises(vlanlink.ConflictError, match="no address is left"):
        vlanlink.attach("office/pub", pid=container(), id="more")
    end(world, pids[2])
    vlanlink.up(topology)
    end(world, pids[1])
    assert vlanlink.attach("office/pub", pid=container(), id="new").addresses == had[2]
    assert {a.id for a in vlanlink.attachments()} == {"c0", "c1", "c3", "new"}
    with pytest.raises(vlanlink.ConflictError, match="attachment c0 keeps it"):
        vlanlink.up(
            office(
                ip_range="172.16.3.64/30",
                more='[namespaces.x.interfaces.eth0]\nnetwork="pub"\naddresses=["172.16.3.64"]\n',
            )
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"pid": 1 << 22}, "there is no network namespace at process"),
        ({"path": "/run/nothing"}, "there is no network namespace at /run/nothing"),
        ({"path": "/proc/self/ns/mnt"}, "it is a namespace of another type"),
        ({"path": "/etc/hostname"}, "it is not a namespace"),
        ({"path": "/proc/self/ns/net"}, "is the host's own network namespace"),
        ({"path": "/run/netns/web"}, "is one of topology office"),
    ],
)
def test_what_is_no_place_for_an_attachment(words: dict[str, object], message: str) -> None:
    vlanlink.up(office())
    with pytest.raises(vlanlink.ConflictError, match=message):
        vlanlink.attach("office/pub", id="c1", **words)  # type: ignore[arg-type]
    assert vlanlink.attachments() == ()
    assert vlanlink.status("office").state == "up"


def test_what_is_asked_for_wrongly(world: World, container: Callable[[], int]) -> None:
    pid = container()
    with pytest.raises(vlanlink.UsageError, match="unknown topology: office"):
        vlanlink.attach("office/pub", pid=pid)
    vlanlink.up(office())
    for network, options, wrong in (
        ("office", {}, "is not TOPOLOGY/NETWORK"),
        ("office/pup", {}, "has no network pup"),
        ("office/pub", {"id": "a/b"}, "is not a valid id"),
        ("office/pub", {"addresses": ["10.9.9.9"]}, "10.9.9.9"),
        ("office/pub", {"addresses": ["172.16.3.0"]}, "172.16.3.0"),
        ("office/pub", {"mac": "01:00:00:00:00:01"}, "01:00:00:00:00:01"),
        ("office/pub", {"interface": "a-name-that-is-too-long"}, "a-name-that-is-too-long"),
    ):
        with pytest.raises(vlanlink.VlanlinkError, match=wrong) as caught:
            vlanlink.attach(network, pid=pid, **options)
        assert caught.value.exit_code == 2, wrong
    with pytest.raises(vlanlink.ConflictError, match=r"172\.16\.3\.15"):
        vlanlink.attach("office/pub", pid=pid, addresses=["172.16.3.15"])
    world.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", *["ip", "link", "add", "eth0", "type", "dummy"]],
        check=False,
    )
    vlanlink.attach("office/pub", pid=pid, id="c1", interface="lan0")
    with pytest.raises(vlanlink.ConflictError, match="with the id c1 already"):
        vlanlink.attach("office/pub", pid=pid, id="c2", interface="lan1")
    with pytest.raises(vlanlink.ConflictError, match="in another namespace"):
        vlanlink.attach("office/pub", pid=container(), id="c1")
    with pytest.raises(vlanlink.UsageError, match="unknown attachment"):
        vlanlink.detach("office/pub", "c3")
    with pytest.raises(vlanlink.UsageError, match="has no network pup"):
        vlanlink.attachments("office/pup")
    assert vlanlink.attachments("office/pub")
    assert vlanlink.status("office").state == "up"


def test_a_namespace_outlives_the_process_that_named_it(
    world: World, container: Callable[[], int]
) -> None:
    """Others may go on in it: they are found, and the link is removed there."""
    vlanlink.up(office())
    pid = container()
    other = world.start(["nsenter", f"--net=/proc/{pid}/ns/net", "sleep", "1000"])
    mine = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(f"/proc/{other.pid}/ns/net").st_ino != mine)
    vlanlink.attach("office/pub", pid=pid, id="c1")
    process = next(one for one in world.started if one.pid == pid)
    process.kill()
    ended(process)
    assert [one.live for one in vlanlink.attachments()] == [True]
    vlanlink.detach("office/pub", "c1")
    assert "eth0" not in inside(world, other.pid, "ip -br link")


def test_a_pid_that_means_another_namespace_by_now_is_none_of_ours(
    world: World, container: Callable[[], int]
) -> None:
    vlanlink.up(office())
    pid, stranger = container(), container()
    vlanlink.attach("office/pub", pid=pid, id="c1")
    (file,) = Path("/run/vlanlink").glob("office@*+pub+c1")
    file.write_text(file.read_text().replace(f"/proc/{pid}/", f"/proc/{stranger}/"))
    end(world, pid)
    assert [one.live for one in vlanlink.attachments()] == [False]
    vlanlink.up(office())
    assert "eth0" not in inside(world, stranger, "ip -br link")


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A podman that knows one container, db; sets its pid, 0 while it does not run."""
    return fake_podman(tmp_path, monkeypatch)


def test_a_container_by_name(
    world: World, container: Callable[[], int], podman: Callable[[int], None]
) -> None:
    vlanlink.up(office())
    podman(0)
    with pytest.raises(vlanlink.ConflictError, match="container db does not run"):
        vlanlink.attach("office/pub", container="db")
    with pytest.raises(vlanlink.ConflictError, match="container db2 does not exist"):
        vlanlink.attach("office/pub", container="db2")
    with pytest.raises(vlanlink.UsageError, match="is not a container's name"):
        vlanlink.attach("office/pub", container="--help")
    pid = container()
    podman(pid)
    found = vlanlink.attach("office/pub", container="db")
    assert found.id == "db"
    assert "172.16.3.2/24" in inside(world, pid, "ip -br addr show eth0")


def test_a_watch_attaches_a_container_again(
    world: World, container: Callable[[], int], podman: Callable[[int], None]
) -> None:
    words: list[tuple[str, tuple[str, ...]]] = []
    watch = vlanlink.Watch(office(), on_event=lambda e: words.append((e.event, e.what)))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        until(lambda: ("up", ()) in words)
        first = container()
        podman(first)
        before = vlanlink.attach("office/pub", container="db")
        podman(0)
        end(world, first)
        until(lambda: ("ended", ("attachment db of pub",)) in words)
        second = container()
        podman(second)
        until(lambda: ("attached", ("attachment db of pub",)) in words)
        (after,) = vlanlink.attachments()
        assert (after.addresses, after.mac, after.live) == (before.addresses, before.mac, True)
        assert "172.16.3.2/24" in inside(world, second, "ip -br addr show eth0")
        assert not {"drift", "failed", "blocked"} & {word for word, _ in words}
    finally:
        watch.stop()
        thread.join()


@pytest.mark.parametrize("calls", [1, 5, 9, 14, 20, 30])
def test_killed_in_the_middle(world: World, container: Callable[[], int], calls: int) -> None:
    """After so many system calls that write: whatever is there, status and down tell and mend."""
    before = dump(world)
    vlanlink.up(office("shim = true"))
    pid = container()
    killer = f"""
import os, signal
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.store.files import Store
left = {calls}
def counted(function):
    def call(*a, **k):
        global left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*a, **k)
    return call
Socket.request = counted(Socket.request)
Store._write = counted(Store._write)
import vlanlink
vlanlink.attach("office/pub", pid={pid}, id="c1")
"""
    run = world.start([sys.executable, "-c", killer])
    ended(run)
    found = vlanlink.attach("office/pub", pid=pid, id="c1")
    assert found.addresses == ("172.16.3.2/24",)
    assert vlanlink.status("office").state == "up"
    run = world.start(
        [
            sys.executable,
            "-c",
            killer.replace("attach(", "detach(").replace(f", pid={pid}, id=", ", "),
        ]
    )
    ended(run)
    vlanlink.status("office")
    vlanlink.down("office")
    assert "eth0" not in inside(world, pid, "ip -br link")
    same(world, before)


def test_one_more_looks_at_its_own_namespace_only(
    container: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Namespaces entered, dumps and requests, beside ten attachments and beside one."""
    counted: Counter[str] = Counter()

    def count(place: object, name: str) -> None:
        function = getattr(place, name)

        def call(*words: Any, **more: Any) -> Any:
            counted[name] += 1
            return function(*words, **more)

        monkeypatch.setattr(place, name, call)

    vlanlink.up(office("shim = true"))
    count(syscalls, "setns")
    count(Socket, "dump")
    count(Socket, "request")
    count(AttachmentRecord, "from_dict")
    found = []
    for at in range(10):
        pid = container()
        counted.clear()
        vlanlink.attach("office/pub", pid=pid, id=f"c{at}")
        found.append(dict(counted))
    assert found[9] == found[1]


def test_s29_a_container_on_the_examples_network(
    world: World, container: Callable[[], int], podman: Callable[[int], None]
) -> None:
    vlanlink.up(example("29-containers", ('parent = "eth0"', 'parent = "eth0"\nprobe = false')))
    pid = container()
    podman(pid)
    found = vlanlink.attach("containers/pub", container="db")
    assert found.addresses == ("172.16.29.128/24",)
    inside(world, pid, "ping -n -c1 -W5 172.16.29.10")
    vlanlink.detach("containers/pub", "db")
    vlanlink.down("containers")


@pytest.mark.parametrize(
    "way", ["vlanlink exec web --", "ip netns exec web", "nsenter --net=/run/netns/web"]
)
def test_s28_a_command_in_an_endpoint(world: World, way: str) -> None:
    assert f"{way} " in (ROOT / "docs/services.md").read_text()
    vlanlink.up(example("28-services", ('parent = "eth0"', 'parent = "eth0"\nprobe = false')))
    program, *words = way.split()
    program = VLANLINK if program == "vlanlink" else program
    world.run([program, *words, *["ping", "-n", "-c1", "-W5", "172.16.28.11"]])
    shown = world.run([program, *words, *["ip", "-br", "addr", "show", "eth0"]]).stdout
    assert "172.16.28.10/24" in shown
    vlanlink.down("services")


def test_a_lost_record_is_told_of_and_its_link_is_found(
    world: World, container: Callable[[], int]
) -> None:
    """By its mark, and the MAC in its lease: for `detach`, and for `attach` once more."""
    vlanlink.up(office())
    pid = container()
    vlanlink.attach("office/pub", pid=pid, id="c1")
    (file,) = Path("/run/vlanlink").glob("office@*+pub+c1")
    file.unlink()
    told = "the record of attachment c1 to office/pub is lost"
    for _ in range(2):
        assert [note.message for note in vlanlink.status("office").notes] == [told]
        assert [note.message for note in vlanlink.up(office()).notes] == [told]
    (note,) = vlanlink.down("office", dry_run=True).notes[1:]
    assert f"(pid {pid} (sleep 1000))" in note.message
    vlanlink.attach("office/pub", pid=pid, id="c1")
    assert vlanlink.status("office").notes == ()
    file.write_text("damaged")
    notes = [note.message for note in vlanlink.status("office").notes]
    assert notes == [
        f"{file} can't be used: it is not JSON: Expecting value (line 1, column 1)",
        told,
    ]
    vlanlink.detach("office/pub", "c1")
    assert "eth0" not in inside(world, pid, "ip -br link")
    assert vlanlink.status("office").notes == ()


def test_an_attachment_without_record_and_link_has_ended(
    world: World, container: Callable[[], int]
) -> None:
    """As after a reboot."""
    vlanlink.up(office())
    pid = container()
    vlanlink.attach("office/pub", pid=pid, id="c1")
    end(world, pid)
    (file,) = Path("/run/vlanlink").glob("office@*+pub+c1")
    file.unlink()
    assert vlanlink.up(office()).notes == ()
    assert vlanlink.status("office").notes == ()
    assert [(one.id, one.live) for one in vlanlink.attachments()] == [("c1", False)]
