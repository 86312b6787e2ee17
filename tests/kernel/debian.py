"""A Debian of the cache, mounted in a test's namespaces: its programs, and what they change.

What is changed in it goes with the test; nothing of it starts by itself.
"""

from pathlib import Path

from tests.kernel.world import World

ROOT = Path("/mnt")
_MOUNT = f"""
mkdir -p /run/changed /run/work
mount -t overlay -o lowerdir=LOWER,upperdir=/run/changed,workdir=/run/work overlay {ROOT}
mount --rbind /dev {ROOT}/dev
mount -t proc proc {ROOT}/proc
"""


def mount(world: World, lower: Path, more: str) -> None:
    """Mount the Debian in the directory ``lower``; ``more`` is what else a shell does then."""
    world.run(["sh", "-ec", _MOUNT.replace("LOWER", str(lower)) + more])


def inside(words: str | list[str]) -> list[str]:
    """The command that runs a command of that system."""
    return ["chroot", str(ROOT), *(words.split() if isinstance(words, str) else words)]
