"""The small topology that many tests begin with: macvlan endpoints of one network on eth0."""


def small(
    name: str,
    /,
    *,
    subnet: str = "172.16.86.0/24",
    parent: str = "eth0",
    keys: str = "probe = false",
    **endpoints: str,
) -> str:
    """Its text. ``endpoints`` are addresses by namespace; empty: vlanlink chooses one."""
    found = f"""
[topology]
name = "{name}"
[networks.pub]
kind = "macvlan"
parent = "{parent}"
subnets = [{{ subnet = "{subnet}" }}]
{keys}
"""
    for namespace, address in endpoints.items():
        found += f'[namespaces.{namespace}.interfaces.eth0]\nnetwork = "pub"\n'
        found += f'addresses = ["{address}"]\n' if address else ""
    return found
