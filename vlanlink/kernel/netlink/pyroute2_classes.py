"""The message classes of pyroute2 that are in use, without the rest of it.

Importing the package runs an ``__init__`` that imports every netlink family, asyncio and a
database: 0.13 s, a fifth of what a whole `up` of 500 endpoints takes. So that is put off until
somebody asks the package for a name of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_PACKAGE = "pyroute2"


class _NotRun(ModuleType):
    """A package whose ``__init__`` has not run."""

    def __getattr__(self, name: str) -> Any:
        """Run it for the first name that is not there; from then on it is a module like any."""
        ModuleType.__setattr__(self, "__class__", ModuleType)
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


@contextmanager
def _init_put_off() -> Iterator[None]:
    """Imports in here find the package without running its ``__init__``."""
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    if spec is None:
        yield
        return
    package = sys.modules[_PACKAGE] = module_from_spec(spec)
    try:
        yield
    except ImportError:
        for name in [one for one in sys.modules if one.partition(".")[0] == _PACKAGE]:
            del sys.modules[name]
        raise
    ModuleType.__setattr__(package, "__class__", _NotRun)


def _families() -> tuple[Any, ...]:
    from pyroute2.netlink import nla
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    return ifaddrmsg, ifinfmsg, nla, rtmsg


def _load() -> tuple[Any, ...]:
    try:
        with _init_put_off():
            return _families()
    except ImportError:  # another version, whose modules need what the package has
        return _families()


ifaddrmsg, ifinfmsg, nla, rtmsg = _load()
