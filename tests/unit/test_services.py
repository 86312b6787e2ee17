"""Services in namespaces: drop-ins, what they refuse, and whose files may ask for them."""

import os
import shlex
from pathlib import Path

import pytest

import vlanlink
from tests.unit.test_boot import UNIT, Box
from vlanlink.boot import file_trust, managed_files, services
from vlanlink.cli.parser import parse

TEXT = """
[topology]
name = "office"

[namespaces.web]
dns = ["172.16.2.1"]
units = ["nginx.service"]
"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    found = Box(tmp_path, monkeypatch)
    found.topology = found.load(TEXT)
    monkeypatch.setattr(services, "_RESOLV_CONF", tmp_path / "resolv.conf")
    return found


def tells(box: Box, unit: str, **properties: str) -> None:
    """What systemctl shows of a unit."""
    (box.directory / "show").mkdir(exist_ok=True)
    for name, value in properties.items():
        box.say(f"show/{unit}.{name}", f"{value}\n")


def enabled(box: Box, unit: str) -> None:
    (box.units / "multi-user.target.wants").mkdir(exist_ok=True)
    (box.units / "multi-user.target.wants" / unit).symlink_to("../x")


def drop_in(box: Box, unit: str = "nginx.service") -> Path:
    return box.units / f"{unit}.d/vlanlink.conf"


def test_enable_ties_a_unit_and_its_socket(box: Box) -> None:
    tells(box, "nginx.socket", Triggers="nginx.service")
    tells(box, "other.socket", Triggers="other.service")
    assert f"  + file {drop_in(box)}" in box.enable()
    lines = drop_in(box).read_text().splitlines()
    assert lines[:6] == [
        "[Unit]",
        f"Requires={UNIT}",
        f"After={UNIT}",
        "",
        "[Service]",
        "NetworkNamespacePath=/run/netns/web",
    ]
    assert "BindReadOnlyPaths=/etc/netns/web/resolv.conf:/etc/resolv.conf" in lines
    assert "BindReadOnlyPaths=/etc/netns/web/nsswitch.conf:/etc/nsswitch.conf" in lines
    assert not any("/etc/hosts" in line for line in lines)
    assert lines[-3:-1] == ["[Install]", f"WantedBy={UNIT}"]
    socket = drop_in(box, "nginx.socket").read_text()
    assert "\nDefaultDependencies=no\n" in socket
    assert "[Socket]\nNetworkNamespacePath=/run/netns/web\n" in socket
    assert "BindReadOnlyPaths" not in socket
    assert not drop_in(box, "other.socket").exists()
    assert box.told()[-1] == "daemon-reload"
    assert box.enable() == []


def wanted(box: Box, unit: str = "nginx.service") -> Path:
    return box.units / f"{UNIT}.wants/{unit}"


def test_an_enabled_unit_starts_with_its_topology(box: Box) -> None:
    box.enable()
    assert not wanted(box).is_symlink()
    vlanlink.disable("office", box.host, release_units=True)
    enabled(box, "nginx.service")
    box.enable()
    assert wanted(box).is_symlink()
    vlanlink.disable("office", box.host, release_units=True)
    assert not wanted(box).parent.exists()


def test_a_failed_enable_leaves_no_unit_wanted(box: Box) -> None:
    enabled(box, "nginx.service")
    (box.directory / "active").mkdir()
    box.say("active/nginx.service", "")
    box.say("refuses", "restart")
    with pytest.raises(vlanlink.ConflictError):
        box.enable(now=True)
    assert not wanted(box).parent.exists()
    assert not drop_in(box).parent.exists()


@pytest.mark.parametrize("kept", ["run/systemd/resolve", "run", "etc"])
def test_a_directory_in_which_the_host_replaces_its_file_is_hidden(
    box: Box, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    (box.directory / kept).mkdir(parents=True, exist_ok=True)
    link = box.directory / "resolv.conf"
    link.symlink_to(box.directory / kept / "stub-resolv.conf")
    monkeypatch.setattr(services, "_RESOLV_CONF", link)
    monkeypatch.setattr(services, "_RUN", box.directory / "run")
    box.enable()
    hides = f"TemporaryFileSystem={box.directory / kept}:ro\n" in drop_in(box).read_text()
    assert hides == (kept == "run/systemd/resolve")


def test_a_unit_that_runs_elsewhere_is_restarted_with_now(box: Box) -> None:
    box.say("process", "0")
    (box.directory / "active").mkdir()
    box.say("active/nginx.service", "")
    result = vlanlink.enable(box.topology, box.host)
    assert [note.message for note in result.notes] == [
        "nginx.service goes on where it runs until it is restarted"
    ]
    assert "restart nginx.service" not in box.told()
    drop_in(box).unlink()
    assert "  ~ unit nginx.service in namespace web" in box.enable(now=True)
    assert box.told()[-1] == "restart nginx.service"


@pytest.mark.parametrize(
    "line",
    ["NetworkNamespacePath=/run/netns/x", "PrivateNetwork=yes", "JoinsNamespaceOf=a.service"],
)
def test_a_unit_that_somebody_else_tied_is_refused(box: Box, line: str) -> None:
    other = box.directory / "other.conf"
    other.write_text(f"[Service]\n{line}\n")
    tells(box, "nginx.service", DropInPaths=str(other))
    with pytest.raises(vlanlink.ConflictError) as caught:
        box.enable()
    (found,) = caught.value.diagnostics
    assert found.message == f"nginx.service is tied to a namespace by {other} already"
    assert (found.line, found.path) == (7, ("namespaces", "web", "units"))
    assert box.files() == set()  # all of enable is undone


def test_what_ties_nothing_is_no_obstacle(box: Box) -> None:
    unit = box.directory / "nginx.service"
    unit.write_text("[Service]\nPrivateNetwork=no\nPrivateTmp=yes\n")
    tells(box, "nginx.service", FragmentPath=str(unit))
    box.enable()
    assert drop_in(box).exists()


def test_a_drop_in_of_another_topology_stays(box: Box) -> None:
    box.enable()
    other = box.load(TEXT.replace("office", "shop"))
    with pytest.raises(vlanlink.ConflictError, match="is tied to a namespace by"):
        vlanlink.enable(other, box.host)
    assert UNIT in drop_in(box).read_text()


def test_disable_refuses_while_units_are_enabled_and_leaves_their_drop_ins(box: Box) -> None:
    box.enable()
    enabled(box, "nginx.service")
    with pytest.raises(vlanlink.ConflictError, match=r"nginx\.service would no longer start"):
        box.disable()
    assert box.copy.exists()
    (box.units / "multi-user.target.wants/nginx.service").unlink()
    box.disable()
    assert not box.copy.exists()
    assert drop_in(box).exists()


def test_disable_releases_units_when_told(box: Box) -> None:
    box.enable()
    enabled(box, "nginx.service")
    result = vlanlink.disable("office", box.host, release_units=True)
    assert f"  - file {drop_in(box)}" in result.lines
    assert not drop_in(box).parent.exists()


def test_a_drop_in_as_it_was_written_formerly_is_ours(box: Box) -> None:
    """With `BindsTo=`: `enable` replaces it, and `disable` can release its unit."""
    box.enable()
    new = drop_in(box).read_text()
    body = new.rpartition("#")[0]
    old = managed_files.marked(body.replace("Requires=", "BindsTo="))
    drop_in(box).write_text(old)
    box.enable()
    assert drop_in(box).read_text() == new
    drop_in(box).write_text(old)
    vlanlink.disable("office", box.host, release_units=True)
    assert not drop_in(box).exists()


def test_an_edited_drop_in_is_not_ours(box: Box) -> None:
    box.enable()
    drop_in(box).write_text(drop_in(box).read_text().replace("web", "db"))
    with pytest.raises(vlanlink.ConflictError, match="is tied to a namespace by") as caught:
        box.enable()
    assert "edited since" in str(caught.value)
    done = vlanlink.disable("office", box.host, release_units=True)
    assert drop_in(box).exists()
    (note,) = done.notes
    assert note.message == f"nginx.service stays tied to its namespace: {drop_in(box)} was edited"


def test_an_edited_drop_in_still_ties_its_unit(box: Box) -> None:
    """Its processes hold the namespace, and it could not start without the topology."""
    box.enable()
    with drop_in(box).open("a") as file:
        file.write("[Service]\nNice=5\n")
    assert services.untied(box.topology, box.host) == ()
    (box.directory / "active").mkdir()
    box.say("active/nginx.service", "")
    assert services.restart("office", box.host, {"web"}) == ("nginx.service",)
    enabled(box, "nginx.service")
    with pytest.raises(vlanlink.ConflictError, match=r"nginx\.service would no longer start"):
        box.disable()
    assert services.stop("office", box.host) == ("nginx.service",)


def test_a_drop_in_that_was_edited_to_tie_nothing_counts_no_more(box: Box) -> None:
    box.enable()
    text = drop_in(box).read_text()
    drop_in(box).write_text(text.replace("NetworkNamespacePath=", "#"))
    assert "nginx.service" not in services.tied("office", box.host)


def test_a_unit_that_leaves_the_file_stays_tied(box: Box) -> None:
    box.enable()
    box.topology = box.load(TEXT.replace('["nginx.service"]', "[]"))
    result = vlanlink.enable(box.topology, box.host)
    assert [note.message for note in result.notes] == [
        "nginx.service stays tied to its namespace: the file no longer names it"
    ]


def test_up_alone_names_the_step(box: Box) -> None:
    (note,) = services.untied(box.topology, box.host)
    assert note.message == "nginx.service is not tied to namespace web yet"
    assert note.hint == f"vlanlink enable {box.directory}/mine.toml"
    box.enable()
    assert services.untied(box.topology, box.host) == ()


def test_services_of_a_namespace_are_stopped_and_restarted(box: Box) -> None:
    box.enable()
    (box.directory / "active").mkdir()
    box.say("active/nginx.service", "")
    box.told()
    assert services.restart("office", box.host, {"db"}) == ()
    assert services.restart("office", box.host, {"web", "db"}) == ("nginx.service",)
    assert services.stop("office", box.host) == ("nginx.service",)
    assert box.told() == ["restart nginx.service", "stop nginx.service"]
    assert services.stop("office", box.host) == ()
    assert drop_in(box).exists()


# -- whose files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "directory", "above"])
def test_a_file_with_units_that_others_can_write_is_refused(box: Box, place: str) -> None:
    above = box.directory / "above"
    (above / "directory").mkdir(parents=True)
    file = above / "directory/office.toml"
    file.write_text(TEXT)
    topology = vlanlink.load(file)
    file_trust.refuse_untrusted_units(topology)
    open_one = {"file": file, "directory": file.parent, "above": above}[place]
    open_one.chmod(0o777)
    with pytest.raises(vlanlink.PrivilegeError, match="others can write it") as caught:
        vlanlink.enable(topology, box.host)
    assert caught.value.exit_code == 4
    assert f"{open_one} has mode 0777" in str(caught.value)
    without = vlanlink.load(file, text=TEXT.replace('["nginx.service"]', "[]"))
    file_trust.refuse_untrusted_units(without)


@pytest.mark.skipif(os.geteuid() != 0, reason="chown takes root")
def test_a_file_of_somebody_else_is_refused(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    file = box.directory / "mine.toml"
    os.chown(file, 1000, 1000)
    with pytest.raises(vlanlink.PrivilegeError, match="belongs to user 1000"):
        file_trust.refuse_untrusted_units(box.topology)
    monkeypatch.setenv("SUDO_UID", "1000")
    file_trust.refuse_untrusted_units(box.topology)


def test_a_sticky_directory_counts_for_a_file_that_nobody_named(box: Box) -> None:
    public = box.directory / "tmp"
    public.mkdir()
    public.chmod(0o1777)
    file = public / "vlanlink.toml"
    file.write_text(TEXT)
    file_trust.refuse_untrusted_units(vlanlink.load(file))
    with pytest.raises(vlanlink.PrivilegeError, match="everybody can put files into"):
        vlanlink.refuse_untrusted_file(str(file))
    public.chmod(0o755)
    vlanlink.refuse_untrusted_file(str(file))


# -- the pages -----------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["services", "containers"])
def test_every_command_of_the_page_parses(page: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text()
    found = [
        shlex.split(line.removeprefix("$ ").removeprefix("sudo "), comments=True)
        for line in text.splitlines()
        if line.startswith(("sudo vlanlink", "$ sudo vlanlink"))
    ]
    assert found
    for words in found:
        assert parse(words[1:]).verb == words[1]


def test_the_page_shows_what_enable_writes(box: Box) -> None:
    page = (ROOT / "docs/services.md").read_text()
    box.enable()
    written = drop_in(box).read_text().splitlines()[:-1]  # the last line is the checksum
    assert "\n".join(written) in page
