"""What the kernel has counted in the namespace that the calling thread is in."""

from pathlib import Path

_FILE = Path("/proc/thread-self/net/netstat")
_REVERSE_PATH = "IPReversePathFilter"


def filtered_packets() -> int:
    """IPv4 packets dropped by the reverse path filter (linux/snmp.h LINUX_MIB_IPRPFILTER)."""
    lines = _FILE.read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        found = dict(zip(names.split(), values.split(), strict=True))
        if _REVERSE_PATH in found:
            return int(found[_REVERSE_PATH])
    return 0
