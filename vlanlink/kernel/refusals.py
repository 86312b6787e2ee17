"""Kinds of refusal: what the machine lacks, as against what stands in the way."""

import errno

from vlanlink.apply import Refused
from vlanlink.operations import MakeLink, MakeNamespace


def is_lack_of_feature(refused: Refused) -> bool:
    """The kernel does not know the kind of link, or a name made here is seen by nobody else."""
    if isinstance(refused.operation, MakeLink):
        return refused.errno == errno.EOPNOTSUPP
    return isinstance(refused.operation, MakeNamespace) and refused.errno == errno.EXDEV


def is_lack_of_privilege(refused: Refused) -> bool:
    """The kernel wants a capability that the process has not."""
    return refused.errno in (errno.EPERM, errno.EACCES)
