"""What the exit codes mean, in words that the verbs share."""

from typing import Final

ROLLED_BACK: Final = {
    1: "the machine, the LAN or another program is in the way; rolled back, exceptions are listed",
    2: "the command line or the file has errors; nothing was changed",
    4: "a privilege or a kernel feature is missing; nothing was changed",
    130: "interrupted; rolled back, exceptions are listed",
}
"""Of verbs that change the network."""
READING: Final = {
    1: "the kernel can't be read",
    2: "the command line or the file has errors, or the name is unknown",
    4: "a privilege is missing",
    130: "interrupted",
}
"""Of verbs that change nothing."""
