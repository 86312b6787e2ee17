"""Each kind of source: JSON, podman, scripts, history, several at once; and what is refused."""

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

import vlanlink
from vlanlink.cli import main as command

CREATE = "docker network create -d macvlan --subnet 10.0.0.0/24 --gateway 10.0.0.1 -o parent=eth0"


def interfaces(found: vlanlink.Conversion) -> dict[str, tuple[object, ...]]:
    """Endpoint to network, addresses and MAC."""
    return {
        f"{name}/{key}": (one.network, one.addresses, one.mac)
        for name, namespace in found.topology.namespaces.items()
        for key, one in namespace.interfaces.items()
    }


def test_a_topology_is_no_source(tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text("# mine\n[networks.lan]\nkind = 'macvlan'\n")
    with pytest.raises(vlanlink.UsageError, match="2:1: this is a topology") as caught:
        vlanlink.convert(file)
    assert caught.value.diagnostics[0].hint == (
        "vlanlink validate FILE checks it, vlanlink up FILE brings it up"
    )


# -- docker network inspect ------------------------------------------------------------------------

INSPECTED: dict[str, Any] = {
    "Name": "pub",
    "Id": "5a3c",
    "Scope": "local",
    "Driver": "macvlan",
    "EnableIPv6": False,
    "IPAM": {
        "Driver": "default",
        "Options": {},
        "Config": [{"Subnet": "172.16.3.0/24", "Gateway": "172.16.3.1"}],
    },
    "Internal": False,
    "ConfigFrom": {"Network": ""},
    "ConfigOnly": False,
    "Containers": {
        "b2": {
            "Name": "db",
            "MacAddress": "02:42:ac:10:03:03",
            "IPv4Address": "172.16.3.3/24",
            "IPv6Address": "",
        },
        "a1": {
            "Name": "web",
            "MacAddress": "02:42:ac:10:03:02",
            "IPv4Address": "172.16.3.2/24",
            "IPv6Address": "",
        },
    },
    "Options": {"parent": "eth0.50", "macvlan_mode": "bridge"},
    "Labels": {},
}


def inspected(*documents: Any, **options: Any) -> vlanlink.Conversion:
    return vlanlink.convert("inspect.json", text=json.dumps(documents, indent=1), **options)


def test_networks_that_exist_with_their_containers_in_address_order() -> None:
    found = inspected(INSPECTED)
    (network,) = found.topology.networks.values()
    assert (network.kind, network.parent, network.options["mode"]) == (
        "macvlan",
        "eth0.50",
        "bridge",
    )
    assert interfaces(found) == {
        "web/eth0": ("pub", None, None),
        "db/eth0": ("pub", None, None),
    }
    assert list(found.topology.namespaces) == ["web", "db"]
    assert found.warnings == ()


def test_running_keeps_addresses_and_macs() -> None:
    found = inspected(INSPECTED, running=True, parents={"eth0": "enp3s0"})
    assert interfaces(found)["web/eth0"] == ("pub", ("172.16.3.2",), "02:42:ac:10:03:02")
    assert found.topology.networks["pub"].parent == "enp3s0.50"


def test_a_container_on_two_networks_has_two_interfaces() -> None:
    other = {**INSPECTED, "Name": "back", "Options": {"parent": "eth1"}}
    other["IPAM"] = {"Config": [{"Subnet": "10.8.0.0/24", "Gateway": "10.8.0.1"}]}
    other["Containers"] = {"a1": {"Name": "web", "IPv4Address": "10.8.0.9/24", "MacAddress": ""}}
    found = inspected(INSPECTED, other, running=True)
    assert interfaces(found)["web/eth1"] == ("back", ("10.8.0.9",), None)
    web = found.topology.namespaces["web"].interfaces
    assert web["eth0"].default_route is False  # Docker's is on the network first by name


def test_what_a_container_asked_for_wins() -> None:
    container = {
        "Name": "/web",
        "Config": {},
        "HostConfig": {"NetworkMode": "pub", "Sysctls": {"net.ipv4.ip_forward": "1"}},
        "NetworkSettings": {
            "Networks": {
                "pub": {
                    "IPAMConfig": {"IPv4Address": "172.16.3.77"},
                    "IPAddress": "172.16.3.77",
                    "IPPrefixLen": 24,
                    "MacAddress": "02:42:ac:10:03:4d",
                }
            }
        },
    }
    found = inspected({**INSPECTED, "Containers": {}}, container)
    assert interfaces(found) == {"web/eth0": ("pub", ("172.16.3.77",), None)}
    assert found.topology.namespaces["web"].sysctls == {"net.ipv4.ip_forward": "1"}


def test_a_swarm_network_has_the_configuration_of_another() -> None:
    base = {**INSPECTED, "Name": "config", "ConfigOnly": True, "Driver": "null", "Containers": {}}
    swarm = {**INSPECTED, "ConfigFrom": {"Network": "config"}, "Options": {}}
    swarm["IPAM"] = {"Config": []}
    found = inspected(base, swarm)
    assert list(found.topology.networks) == ["pub"]
    assert found.topology.networks["pub"].parent == "eth0.50"


def test_podman_says_its_gateway_and_its_range() -> None:
    document = {
        "name": "pub",
        "id": "1",
        "driver": "macvlan",
        "network_interface": "eth0",
        "subnets": [
            {
                "subnet": "10.0.0.0/24",
                "gateway": "10.0.0.1",
                "lease_range": {"start_ip": "10.0.0.129", "end_ip": "10.0.0.255"},
            }
        ],
        "ipv6_enabled": False,
        "internal": False,
        "ipam_options": {"driver": "host-local"},
        "containers": {
            "f00": {
                "name": "web",
                "interfaces": {
                    "eth0": {
                        "subnets": [{"ipnet": "10.0.0.130/24", "gateway": "10.0.0.1"}],
                        "mac_address": "aa:bb:cc:00:00:01",
                    }
                },
            }
        },
    }
    found = inspected(document, running=True)
    (subnet,) = found.topology.networks["pub"].subnets or ()
    assert (str(subnet.gateway), str(subnet.ip_range)) == ("10.0.0.1", "10.0.0.128/25")
    assert interfaces(found)["web/eth0"] == ("pub", ("10.0.0.130",), "aa:bb:cc:00:00:01")


def test_a_network_with_dhcp() -> None:
    document = {
        "name": "pub",
        "driver": "macvlan",
        "network_interface": "eth0",
        "ipam_options": {"driver": "dhcp"},
        "containers": {"f00": {"name": "web", "interfaces": {"eth0": {}}}},
    }
    found = inspected(document)
    assert vlanlink.as_mapping(found.topology)["networks"]["pub"]["dhcp"] is True
    assert found.decisions == ()


def test_compose_as_json_and_as_yaml_are_the_same() -> None:
    document = {
        "name": "shop",
        "services": {"web": {"networks": {"pub": {"ipv4_address": "10.0.0.5"}}}},
        "networks": {
            "pub": {
                "name": "shop_pub",
                "driver": "ipvlan",
                "driver_opts": {"parent": "eth0", "ipvlan_mode": "l2"},
                "ipam": {"config": [{"subnet": "10.0.0.0/24", "gateway": "10.0.0.1"}]},
            }
        },
    }
    found = vlanlink.convert("c.json", text=json.dumps(document))
    as_yaml = vlanlink.convert("c.yml", text=json.dumps(document), source_format="compose")
    assert found.topology == as_yaml.topology
    assert found.topology.name == "shop"


# -- shell -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{CREATE} pub\ndocker run --net pub --ip 10.0.0.5 --name web nginx",
        f"   12  {CREATE} pub\n   13  ls\n"
        "   14  sudo docker run --net=pub --ip=10.0.0.5 --name=web x",
        f"#!/bin/sh\nset -e\n# it's {CREATE} other\n{CREATE} pub || true\n"
        "docker run \\\n  -itd --network pub \\\n  --ip 10.0.0.5 \\\n"
        "  --name web nginx:1 sh -c 'x; y'",
        f"user@host:~$ {CREATE} pub\n$ docker container run -p80:80 -e A=b --net pub --ip 10.0.0.5"
        " --name web nginx --name not-this",
        f"NET=pub\nIP='10.0.0.5'\n{CREATE} \"$NET\" && docker create --net ${{NET}} --ip $IP"
        " --name web ${IMAGE:-nginx}",
        f"{CREATE} pub; docker run -d --name web nginx; "
        "docker network connect --ip 10.0.0.5 pub web; docker network disconnect bridge web",
        f"{CREATE} pub\ndocker run --network name=pub,ip=10.0.0.5 --name web nginx",
        f"docker network rm pub; {CREATE.replace('10.0.0', '10.1.1')} pub; docker network rm pub\n"
        f"{CREATE} pub > /dev/null 2>&1\n"
        "docker -H unix:///x run --net pub --ip 10.0.0.5 --name web x",
    ],
)
def test_commands_as_people_write_them(text: str) -> None:
    found = vlanlink.convert("-", text=text)
    assert interfaces(found) == {"web/eth0": ("pub", ("10.0.0.5",), None)}
    (subnet,) = found.topology.networks["pub"].subnets or ()
    assert (str(subnet.subnet), str(subnet.gateway)) == ("10.0.0.0/24", "10.0.0.1")
    assert found.decisions == ()


def test_a_variable_that_nobody_sets_has_to_be_decided() -> None:
    found = vlanlink.convert("x.sh", text=f"{CREATE} pub\ndocker run --net pub --ip $IP nginx\n")
    (decision,) = found.decisions
    assert (decision.file, decision.line, decision.column) == ("x.sh", 2, 27)
    assert "$IP" in decision.message
    assert interfaces(found) == {"nginx/eth0": ("pub", None, None)}


def test_podman_networks_have_details_after_a_colon() -> None:
    create = (
        "podman network create -d macvlan --subnet 10.0.0.0/24 --gateway 10.0.0.1 -o parent=eth0"
    )
    run = "podman run -d --network pub:ip=10.0.0.5,mac=02:00:00:00:00:05,interface_name=lan0 web"
    found = vlanlink.convert(f"{create} pub && {run}")
    mac = "02:00:00:00:00:05"
    assert interfaces(found) == {"web/lan0": ("pub", ("10.0.0.5",), mac)}


def test_a_reference_to_another_source() -> None:
    compose = (
        "services:\n  web: { networks: { home: { ipv4_address: 172.16.3.9 } } }\n"
        "networks:\n  home: { external: true, name: pub }\n"
    )
    alone = vlanlink.convert("c.yml", text=compose)
    assert len(alone.decisions) == 2
    assert alone.topology.namespaces == {}


def test_two_files_are_one_topology(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text(
        "services:\n  web: { networks: { home: { ipv4_address: 172.16.3.9 } } }\n"
        "networks:\n  home: { external: true, name: pub }\n"
    )
    (tmp_path / "net.json").write_text(json.dumps([{**INSPECTED, "Containers": {}}]))
    found = vlanlink.convert([tmp_path / "c.yml", tmp_path / "net.json"])
    assert interfaces(found) == {"web/eth0": ("pub", ("172.16.3.9",), None)}
    assert found.decisions == ()


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found no network and no container to import"),
        ("echo hello\n", "found no network and no container to import"),
        ("[]", "found no network and no container to import"),
        ('[{"a": }]', "x:1:8: error: not valid JSON"),
        ('[{"a": "\x01"}]', "x:1:9: error: not valid JSON"),
        ("services:\n  a: [\n", "error: not valid YAML"),
        ("[" * 100_000, "nested too deeply"),
        ("services:\n  a: " + "[" * 3000, "error: "),
        ("services: &a\n  b: *a\n", "an alias contains itself"),
        (
            "services:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"  {chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n"
                for n in range(9)
            ),
            "nested too deeply, or an alias",
        ),
        ("services: " + "x" * 2_000_000, "larger than 1024 KiB"),
        ("services:\n  a: !!python/object:os.system {}\n  \x00", "error: not valid YAML"),
    ],
)
def test_what_can_not_be_read_is_refused_at_its_place(text: str, said: str) -> None:
    with pytest.raises((vlanlink.TopologyError, vlanlink.UsageError)) as caught:
        vlanlink.convert("x", text=text)
    assert caught.value.exit_code == 2
    assert said in "\n".join(str(one) for one in caught.value.diagnostics)


def test_control_characters_stay_text() -> None:
    name = "evil\x1b[2J\nname\u202e"
    document = {**INSPECTED, "Containers": {"x": {"Name": name, "IPv4Address": "172.16.3.2/24"}}}
    found = inspected(document)
    assert all(line.isprintable() for line in found.text.splitlines())
    assert all(str(one).replace("\n", "").isprintable() for one in found.warnings)
    assert len(found.topology.namespaces) == 1


def test_running_needs_a_source_that_knows() -> None:
    with pytest.raises(vlanlink.UsageError, match="which addresses containers have now"):
        vlanlink.convert(f"{CREATE} pub", running=True)


def test_without_the_extra_yaml_is_refused_and_json_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("ruamel"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(vlanlink.UsageError, match=r"pip install 'vlanlink\[import\]'"):
        vlanlink.convert("c.yml", text="services: {}\nnetworks: {}\n")
    assert inspected(INSPECTED).topology.networks


# -- the command -----------------------------------------------------------------------------------


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_prepare", lambda: None)
    target = tmp_path / "out.toml"
    line = f"{CREATE} pub"
    assert command.main(["import", line, "--name", "x", "-o", str(target)]) == 0
    assert vlanlink.load(target).name == "x"
    assert capsys.readouterr().out == ""
    assert command.main(["import", line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == []
    assert command.main(["import", line, "--parent", "eth0"]) == 2
    assert "--parent eth0 is not OLD=NEW" in capsys.readouterr().err
    assert command.main(["import", str(tmp_path / "none.yml")]) == 2
    assert command.main(["import", line.replace("-o parent=eth0", "-o parent=$NIC") + " pub"]) == 3
    assert "DECIDE: <argument>:1" in capsys.readouterr().out
