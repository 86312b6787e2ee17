"""Modules that cost more than a small run has to spare: no everyday verb imports them."""

NEVER = {
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "hashlib",
    "inspect",
    "logging",
    "pyroute2",
    "random",
    "rich",
    "secrets",
    "shlex",
    "shutil",
    "tempfile",
    "termios",
}
