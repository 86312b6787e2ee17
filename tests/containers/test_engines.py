"""docs/containers.md and docs/services.md with real Podman, Docker, LXC and systemd-nspawn."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import vlanlink
from tests.containers.engines import Engines
from tests.containers.page import commands, shown
from tests.kernel.attaching import inside, office
from tests.kernel.command_line import VLANLINK
from tests.kernel.debian import ROOT
from tests.kernel.lan import Lan
from tests.kernel.world import World, until

pytestmark = pytest.mark.needs("macvlan")

POSTGRES, NGINX = "docker.io/library/postgres", "docker.io/library/nginx"
WEB = "172.16.3.15"
ASK = f"import urllib.request as r; print(r.urlopen('http://{WEB}/').read().decode(), end='')"


@pytest.fixture
def station(lan: Lan) -> str:
    """A machine of the LAN, which asks."""
    lan.station("pc", "172.16.3.200/24")
    return "pc"


def pid_of(engines: Engines, engine: str, name: str) -> int:
    (found,) = json.loads(engines.run(f"{engine} container inspect {name}").stdout)
    return int(found["State"]["Pid"])


@contextmanager
def watched() -> Iterator[list[tuple[str, tuple[str, ...]]]]:
    """The events of a watch of office."""
    told: list[tuple[str, tuple[str, ...]]] = []
    watch = vlanlink.Watch(office(), on_event=lambda e: told.append((e.event, e.what)))
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        until(lambda: ("up", ()) in told)
        yield told
    finally:
        watch.stop()
        thread.join()


def test_the_page_of_containers(world: World, engines: Engines, station: str) -> None:
    engines.use("podman", POSTGRES)
    vlanlink.up(office())
    for words in commands("containers.md"):
        printed = world.run([VLANLINK if words[0] == "vlanlink" else words[0], *words[1:]]).stdout
        if "attach" in words:
            assert printed.strip() in shown("containers.md")
            (found,) = vlanlink.attachments()
            world.reaches(station, found.addresses[0].partition("/")[0])
            assert found.addresses[0] in engines.run("podman exec db ip addr").stdout
    assert vlanlink.attachments() == ()
    assert "eth0" not in engines.run("podman exec db ip addr").stdout


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_a_container_that_is_restarted_under_a_watch(
    world: World, engines: Engines, station: str, engine: str
) -> None:
    engines.use(engine, POSTGRES)
    engines.run(f"{engine} run -d --name db --network none {POSTGRES}")
    what = ("attachment db of pub",)
    with watched() as told:
        before = vlanlink.attach("office/pub", container="db")
        first = pid_of(engines, engine, "db")
        world.reaches(station, before.addresses[0].partition("/")[0])
        engines.run(f"{engine} restart -t 0 db")
        until(lambda: ("attached", what) in told, f"{told}")
        second = pid_of(engines, engine, "db")
        assert second != first
        (after,) = vlanlink.attachments()
        assert (after.addresses, after.mac, after.live) == (before.addresses, before.mac, True)
        shows = inside(world, second, "ip addr show eth0")
        assert before.addresses[0] in shows
        assert str(before.mac) in shows
        world.reaches(station, before.addresses[0].partition("/")[0])
        # Another container by that name, of a newer image perhaps.
        told.clear()
        engines.run(f"{engine} kill db")
        engines.run(f"{engine} rm -f db")
        until(lambda: ("ended", what) in told, f"{told}")
        engines.run(f"{engine} run -d --name db --network none {POSTGRES}")
        until(lambda: ("attached", what) in told, f"{told}")
        assert vlanlink.attachments()[0].addresses == before.addresses
        world.reaches(station, before.addresses[0].partition("/")[0])
        assert not {"drift", "failed", "blocked"} & {word for word, _ in told}
    assert vlanlink.status("office").state == "up"
    vlanlink.down("office")
    assert "eth0" not in inside(world, pid_of(engines, engine, "db"), "ip -br link")


def test_a_container_that_stops_and_starts_without_a_watch(engines: Engines, world: World) -> None:
    engines.use("podman", POSTGRES)
    engines.run(f"podman run -d --name db --network none {POSTGRES}")
    vlanlink.up(office())
    before = vlanlink.attach("office/pub", container="db")
    engines.run("podman stop -t 0 db")
    world.settle()
    until(lambda: not vlanlink.attachments()[0].live, "it ended")
    assert vlanlink.status("office").state == "up"
    with pytest.raises(vlanlink.ConflictError, match="container db does not run") as caught:
        vlanlink.attach("office/pub", container="db")
    hint = str(caught.value.diagnostics[0].hint)
    assert hint == "podman start db"
    engines.run(hint)
    after = vlanlink.attach("office/pub", container="db")
    assert (after.addresses, after.mac) == (before.addresses, before.mac)


def test_a_container_of_lxc_by_its_process(world: World, engines: Engines, station: str) -> None:
    vlanlink.up(office())
    engines.unpack("/var/lib/machines/db")
    config = ROOT / "var/lib/lxc/db/config"
    config.parent.mkdir(parents=True)
    empty = "lxc.net.0.type = empty"
    config.write_text(f"lxc.rootfs.path = dir:/var/lib/machines/db\n{empty}\n")
    engines.start("lxc-execute -n db -- /bin/sleep 1000")
    page = shown("containers.md", "Containers of other engines")
    running, words = "lxc-info -n db -p -H", "attach office/pub --pid 4711 --id db"
    assert running in page
    assert words in page
    pid = until(lambda: engines.said(running), "it runs")
    world.run([VLANLINK, *words.replace("4711", pid).split()])
    (found,) = vlanlink.attachments()
    world.reaches(station, found.addresses[0].partition("/")[0])
    assert found.addresses[0] in inside(world, int(pid), "ip addr show eth0")


def test_the_recipes_of_services(world: World, engines: Engines, station: str) -> None:
    """Podman, systemd-nspawn and LXC in a namespace of the topology."""
    engines.use("podman", NGINX)
    engines.unpack("/var/lib/machines/web")
    vlanlink.up(office())
    podman, nspawn = commands("services.md", "## Podman, systemd-nspawn, LXC")
    started = engines.start(" ".join(podman))
    asks = [sys.executable, "-c", ASK]
    until(lambda: world.run(asks, station, check=False).stdout == "It works", "httpd answers")
    engines.run(["podman", "kill", "--all"])
    started.wait()
    nspawn += ["--register=no", "--keep-unit"]  # no systemd runs here
    shows = ["/bin/ip", "addr", "show", "eth0"]
    assert WEB in engines.run([*nspawn, "--pipe", *shows]).stdout
    config = ROOT / "var/lib/lxc/web/config"
    config.parent.mkdir(parents=True)
    config.write_text(shown("services.md", "For LXC"))
    assert WEB in engines.run(["lxc-execute", "-n", "web", "--", *shows]).stdout
