"""Findings about what else decides about packets: filters, rules, reverse path filters."""

import ipaddress
from collections.abc import Iterator
from itertools import combinations

from vlanlink.kernel.facts import MachineFacts
from vlanlink.kernel.netlink.rules import before_main
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link
from vlanlink.preflight.report import Finding
from vlanlink.preflight.topology import TopologyNeeds, sysctl_table
from vlanlink.topology import Topology


def input_policies(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """The host drops what comes in by its links beside the endpoints, unless a rule accepts it."""
    for chain in facts.policy.chains:
        closed = [link for link in _on_host(facts, needs) if link.name not in chain.accepts]
        if chain.hook != "input" or not chain.policy_drops or not closed:
            continue
        yield Finding(
            "input-policy",
            "warning",
            f"the policy of {chain} is drop",
            f"endpoints reach the host through {', '.join(link.name for link in closed)} only as "
            "far as the rules of that chain accept, and answers to the host as well",
            " && ".join(chain.opening(link.name) for link in closed),
        )


def rules_before_main(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Rules that decide before the host's routes do."""
    if not _on_host(facts, needs):
        return
    for family, ip in ((4, "ip"), (6, "ip -6")):
        rules = [rule for rule in facts.policy.rules if rule.family == family]
        for rule in before_main(rules, family):
            yield Finding(
                "ip-rule",
                "note",
                f'{ip} rule "{rule}" is asked before table main',
                "packets that it matches don't follow the host's routes in main; a shim's routes "
                "are in table local, which is asked first",
            )
        if rules and not any(rule.is_local and rule.priority == 0 for rule in rules):
            yield Finding(
                "ip-rule",
                "warning",
                f"{ip} rule: the one for table local is not the first",
                "rules before it may lead packets past the shim's routes, which are in that table",
                f"{ip} rule add pref 0 lookup local",
            )


def _on_host(facts: MachineFacts, needs: TopologyNeeds | None) -> list[Link]:
    """Links on the host beside endpoints: wanted ones, or those that are there."""
    links = needs.wanted.values() if needs else facts.state.host.links.values()
    return [
        link
        for link in links
        if link.namespace == HOST and link.owner and link.kind in KINDS
        if KINDS[link.kind].rx_handler
    ]


def strict_namespaces(facts: MachineFacts, needs: TopologyNeeds | None) -> Iterator[Finding]:
    """Two links of a namespace in one subnet, where packets must come in by the first."""
    for space in needs.topology.namespaces if needs else ():
        assert needs is not None
        links = [link for link in needs.wanted.values() if link.namespace == space]
        for one, two in combinations(links, 2):
            subnet = next(iter(_subnets(one) & _subnets(two)), None)
            strict = any(_rp_filter(facts, needs, link) == 1 for link in (one, two))
            if subnet and strict:
                yield _strict(needs.topology, one, two, subnet)
                break


def _strict(topology: Topology, one: Link, two: Link, subnet: str) -> Finding:
    return Finding(
        "rp-filter",
        "warning",
        f"{one.key} and {two.key} are both in {subnet}, and rp_filter is 1",
        "the kernel drops packets that enter by the link that the answer would not leave by",
        sysctl_table(topology, one.namespace, "net/ipv4/conf/all/rp_filter", 2),
        is_table=True,
    )


def _subnets(link: Link) -> set[str]:
    addresses = (ipaddress.ip_interface(a.text) for a in link.addresses if a.family == 4)
    return {str(one.network) for one in addresses if one.network.prefixlen < 32}


def _rp_filter(facts: MachineFacts, needs: TopologyNeeds, link: Link) -> int:
    """The higher of its own value, or the default of a new link, and that of all."""
    written = needs.sysctls.get(link.namespace, {})

    def value(name: str) -> str | None:
        key = f"net/ipv4/conf/{name}/rp_filter"
        return written.get(key) or facts.sysctl(link.namespace, key)

    return max(int(value("all") or 0), int(value(link.name) or value("default") or 0))


RULES = (input_policies, rules_before_main, strict_namespaces)
