"""resolv.conf, hosts and nsswitch.conf of a namespace: written, kept, drifting, removed."""

import os
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.attaching import start_container
from tests.kernel.lan import Lan
from tests.kernel.names import dns_server, nscd
from tests.kernel.world import World, until

pytestmark = [pytest.mark.needs("macvlan"), pytest.mark.usefixtures("lan")]

FILES = ("hosts", "nsswitch.conf", "resolv.conf")
OFFICE = """
[topology]
name = "office"

[networks.pub]
kind = "macvlan"
parent = "eth0"
probe = false
subnets = [{{ subnet = "172.16.3.0/24" }}]

[namespaces.web]
{web}

[namespaces.web.interfaces.eth0]
network = "pub"
addresses = ["172.16.3.15"]

[namespaces.db.interfaces.eth0]
network = "pub"
addresses = ["172.16.3.16"]
"""
WEB = 'dns = ["172.16.3.1", "172.16.3.2"]\nsearch = ["lan", "example.org"]\nhosts = true'


def office(web: str = WEB) -> vlanlink.Topology:
    return vlanlink.load("/run/office.toml", text=OFFICE.format(web=web))


@pytest.fixture
def etc(world: World, tmp_path: Path) -> Path:  # noqa: ARG001 - after the world is made
    """A machine's own /etc, whose resolver is systemd's."""
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "nsswitch.conf").write_text(
        "passwd: files systemd\nhosts: mymachines resolve [!UNAVAIL=return] files myhostname dns\n"
    )
    return directory


@pytest.fixture
def host(etc: Path) -> vlanlink.Host:
    return vlanlink.Host(etc_netns_directory=etc / "netns")


def body(path: Path) -> list[str]:
    first, *rest = path.read_text().splitlines()
    assert first.startswith("# Written by vlanlink for topology office: ")
    return rest


def listed(etc: Path) -> list[str]:
    return sorted(str(path.relative_to(etc)) for path in etc.rglob("*"))


def test_the_files_say_what_the_topology_does(etc: Path, host: vlanlink.Host) -> None:
    old = os.umask(0o077)
    try:
        done = vlanlink.up(office(), host)
    finally:
        os.umask(old)
    web = etc / "netns/web"
    assert listed(web) == list(FILES)
    assert body(web / "resolv.conf") == [
        "search lan example.org",
        "nameserver 172.16.3.1",
        "nameserver 172.16.3.2",
    ]
    assert body(web / "hosts")[2:] == ["172.16.3.15 web", "172.16.3.16 db"]
    assert body(web / "nsswitch.conf") == ["passwd: files systemd", "hosts: files myhostname dns"]
    assert {oct(path.stat().st_mode & 0o777) for path in web.iterdir()} == {"0o644"}
    assert {oct(path.stat().st_mode & 0o777) for path in (web, web.parent)} == {"0o755"}
    files = [(c.action, c.namespace, c.name) for c in done.changes if c.object == "file"]
    assert sorted(files) == [("create", "web", name) for name in FILES]
    assert not vlanlink.plan(office(), host)
    assert vlanlink.status("office", host).state == "up"
    vlanlink.down("office", host)
    assert listed(etc) == ["nsswitch.conf"]


def test_an_edit_is_written_into_the_same_file(etc: Path, host: vlanlink.Host) -> None:
    vlanlink.up(office(), host)
    resolv = etc / "netns/web/resolv.conf"
    before = resolv.stat().st_ino
    vlanlink.up(office('dns = ["172.16.3.9"]'), host)
    assert resolv.stat().st_ino == before  # processes have it bind-mounted
    assert body(resolv) == ["nameserver 172.16.3.9"]
    assert listed(etc / "netns/web") == ["nsswitch.conf", "resolv.conf"]
    vlanlink.up(office(""), host)
    assert listed(etc) == ["nsswitch.conf"]


def test_drift_is_seen_and_repaired(etc: Path, host: vlanlink.Host) -> None:
    vlanlink.up(office(), host)
    web = etc / "netns/web"
    with (web / "resolv.conf").open("a") as file:
        file.write("nameserver 192.0.2.66\n")
    (web / "hosts").unlink()
    status = vlanlink.status("office", host)
    assert status.state == "drifted"
    told = {(c.action, c.name) for c in status.plan.changes}
    assert told == {("change", "resolv.conf"), ("create", "hosts")}
    vlanlink.up(office(), host)
    assert "192.0.2.66" not in (web / "resolv.conf").read_text()
    assert vlanlink.status("office", host).state == "up"


@pytest.mark.parametrize("kind", ["file", "link", "another topology's", "directory"])
def test_what_somebody_else_wrote_stays(
    lan: Lan, etc: Path, host: vlanlink.Host, kind: str
) -> None:
    web = etc / "netns/web"
    web.mkdir(parents=True)
    resolv = web / "resolv.conf"
    target = etc / "target"
    target.write_text("precious\n")
    if kind == "link":
        resolv.symlink_to(target)
    elif kind == "directory":
        resolv.mkdir()
    else:
        other = "# Written by vlanlink for topology shop: edits are overwritten.\n"
        resolv.write_text("nameserver 9.9.9.9\n" if kind == "file" else other)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.up(office(), host)
    (found,) = caught.value.diagnostics
    assert "resolv.conf of namespace web already exists: " in found.message
    assert found.hint == f"move {resolv} away, or remove dns"
    assert (found.line, found.column) == (12, 1)
    assert target.read_text() == "precious\n"
    assert "web" not in lan.world.namespaces()
    vlanlink.up(office(""), host)
    vlanlink.down("office", host)
    assert resolv.is_symlink() or resolv.exists()
    assert target.read_text() == "precious\n"


def test_a_file_that_was_replaced_is_left(etc: Path, host: vlanlink.Host) -> None:
    vlanlink.up(office(), host)
    resolv = etc / "netns/web/resolv.conf"
    resolv.write_text("nameserver 9.9.9.9\n")
    status = vlanlink.status("office", host)
    assert status.state == "drifted"
    assert "resolv.conf of namespace web already exists" in status.problems[0].message
    vlanlink.down("office", host)
    assert listed(etc / "netns/web") == ["resolv.conf"]
    assert resolv.read_text() == "nameserver 9.9.9.9\n"


def test_a_forged_mark_gives_away_no_file(etc: Path, host: vlanlink.Host) -> None:
    """A process in the namespace can edit what is bind-mounted there; it can't edit the record."""
    vlanlink.up(office('dns = ["172.16.3.1"]'), host)
    hosts = etc / "netns/web/hosts"
    forged = "# Written by vlanlink for topology office: edits are overwritten.\nprecious\n"
    hosts.write_text(forged)
    with pytest.raises(vlanlink.ConflictError, match="hosts of namespace web already exists"):
        vlanlink.up(office(), host)
    vlanlink.down("office", host)
    assert hosts.read_text() == forged


def test_without_a_record_the_mark_counts(lan: Lan, etc: Path, host: vlanlink.Host) -> None:
    """After a boot, /run is empty and /etc is not."""
    vlanlink.up(office(), host)
    for path in Path("/run/vlanlink").glob("*.json"):
        path.unlink()
    for name in ("web", "db"):
        lan.world.ip(f"netns del {name}")
    lan.world.settle()
    (etc / "netns/web/resolv.conf").write_text(
        "# Written by vlanlink for topology office: edits are overwritten.\nnameserver 192.0.2.1\n"
    )
    vlanlink.up(office(), host)
    assert "nameserver 172.16.3.1" in (etc / "netns/web/resolv.conf").read_text()
    vlanlink.down("office", host)
    assert listed(etc) == ["nsswitch.conf"]


@pytest.mark.parametrize("what", ["writable by others", "a symbolic link"])
def test_no_file_goes_where_others_can_write(
    lan: Lan, etc: Path, host: vlanlink.Host, what: str
) -> None:
    web, elsewhere = etc / "netns/web", etc / "elsewhere"
    elsewhere.mkdir()
    web.parent.mkdir()
    if what == "a symbolic link":
        web.symlink_to(elsewhere)
    else:
        web.mkdir()
        web.chmod(0o777)
    refusal: type[vlanlink.VlanlinkError] = vlanlink.PrivilegeError
    refusal = vlanlink.ApplyError if what == "a symbolic link" else refusal
    with pytest.raises(refusal, match=r"can't write resolv\.conf of namespace web: ") as caught:
        vlanlink.up(office(), host)
    assert caught.value.exit_code == (1 if what == "a symbolic link" else 4)
    assert "sudo" not in str(caught.value.diagnostics[0].hint)
    assert not list(elsewhere.iterdir())
    assert lan.world.namespaces() == set()


def test_a_run_that_fails_leaves_no_file(etc: Path, host: vlanlink.Host) -> None:
    vlanlink.up(office('dns = ["172.16.3.1"]'), host)
    before = {path: path.read_text() for path in (etc / "netns/web").iterdir()}
    broken = WEB + '\nsysctls = { "net.ipv4.ip_default_ttl" = 0 }'  # the kernel refuses 0
    with pytest.raises(vlanlink.ApplyError):
        vlanlink.up(office(broken), host)
    assert {path: path.read_text() for path in (etc / "netns/web").iterdir()} == before


def test_a_process_in_the_namespace_sees_an_edit(host: vlanlink.Host) -> None:
    vlanlink.up(office(), host)
    script = "while ! grep -q 172.16.3.77 /etc/resolv.conf; do sleep 0.05; done; echo seen"
    with vlanlink.popen("web", ["sh", "-c", script], host, stdout=-1, text=True) as process:
        until(lambda: "resolv.conf" in _mounts(process.pid), "its files are mounted")
        vlanlink.up(office('dns = ["172.16.3.77"]'), host)
        assert process.communicate(timeout=30)[0] == "seen\n"


def test_a_directory_where_a_file_is(etc: Path, host: vlanlink.Host) -> None:
    """The file that can't be mounted is named, not the command."""
    vlanlink.up(office(""), host)
    wrong = etc / "netns/web/hosts"
    wrong.mkdir(parents=True)
    with pytest.raises(vlanlink.ConflictError) as caught:
        vlanlink.run("web", ["true"], host)
    assert f"can't mount {wrong} over /etc/hosts: Not a directory" in str(caught.value)
    wrong.rmdir()
    vlanlink.run("web", ["true"], host, check=True)


def _mounts(pid: int) -> str:
    return Path(f"/proc/{pid}/mountinfo").read_text()


def test_names_are_asked_of_the_resolver_that_the_file_names(
    lan: Lan, etc: Path, host: vlanlink.Host
) -> None:
    """The host's nscd and DNS server know better; neither is asked."""
    lan.station("server", "172.16.3.1/24")
    for file, text in {
        "resolv.conf": "nameserver 127.0.0.1\n",
        "nsswitch.conf": "hosts: files dns\n",
        "hosts": "127.0.0.1 localhost\n192.0.2.3 db\n",
    }.items():
        (etc / file).write_text(text)
        lan.world.run(["mount", "--bind", str(etc / file), f"/etc/{file}"])
    world = lan.world
    vlanlink.up(office('dns = ["172.16.3.1"]\nhosts = { printer = "172.16.3.200" }'), host)

    def inside(name: str) -> str:
        found = vlanlink.run(
            "web", ["getent", "ahosts", name], host, capture_output=True, text=True, check=True
        )
        return str(found.stdout.split()[0]).removeprefix("::ffff:")

    def outside(name: str) -> str:
        return world.run(["getent", "ahosts", name]).stdout.split()[0].removeprefix("::ffff:")

    with (
        dns_server(world, "", "127.0.0.1", "192.0.2.1") as of_host,
        dns_server(world, "server", "172.16.3.1", "192.0.2.2") as of_lan,
    ):
        assert outside("www.example.org") == "192.0.2.1"
        assert inside("www.example.org") == "192.0.2.2"
        assert of_lan[0] == "www.example.org"
        asked = len(of_host)
        assert outside("db") == "192.0.2.3"
        assert (inside("db"), inside("printer")) == ("172.16.3.16", "172.16.3.200")
        with nscd("192.0.2.9"):
            assert outside("other.example.org") == "192.0.2.9"
            assert inside("other.example.org") == "192.0.2.2"
        assert len(of_host) == asked


def test_an_attachment_changes_no_hosts_file(etc: Path, host: vlanlink.Host, world: World) -> None:
    vlanlink.up(office(), host)
    hosts = (etc / "netns/web/hosts").read_text()
    vlanlink.attach("office/pub", host=host, pid=start_container(world), id="c1")
    told = vlanlink.status("office", host)
    assert told.state == "up", str(told.plan)
    assert not vlanlink.up(office(), host).changes
    assert (etc / "netns/web/hosts").read_text() == hosts
