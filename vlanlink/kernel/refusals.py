"""Kinds of refusal: what the machine lacks, as against what stands in the way."""

import errno

from vlanlink.planning.operations import MakeLink
from vlanlink.reconcile.apply import Refused


def is_lack_of_feature(refused: Refused) -> bool:
    """The kernel does not know the kind of link."""
    return isinstance(refused.operation, MakeLink) and refused.errno == errno.EOPNOTSUPP


def is_lack_of_privilege(refused: Refused) -> bool:
    """The kernel wants a capability that the process has not."""
    return refused.errno in (errno.EPERM, errno.EACCES)
