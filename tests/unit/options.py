"""Values for the options of link kinds, drawn from the registry alone."""

from hypothesis import strategies as st

from vlanlink.kinds import (
    COMMON,
    Choice,
    Flag,
    InterfaceFlag,
    Kind,
    Mac,
    MacList,
    Names,
    Number,
    Option,
    QosMap,
)
from vlanlink.kinds.kind import OptionValue

macs = st.binary(min_size=6, max_size=6).map(
    lambda raw: bytes([raw[0] & 0xFE | 2, *raw[1:]]).hex(":")
)


def values(option: Option) -> st.SearchStrategy[OptionValue]:
    """Any value of an option, as the kernel would read it back."""
    match option:
        case Number():
            return st.integers(option.minimum, option.maximum)
        case Choice():
            return st.sampled_from(sorted(option.choices))
        case Flag() | InterfaceFlag():
            return st.booleans()
        case Mac():
            return macs
        case Names():
            words = st.text("abc-9", min_size=1, max_size=20)
            return st.lists(words, unique=True, max_size=4).map(lambda found: tuple(sorted(found)))
        case QosMap():
            pairs = st.dictionaries(
                st.integers(0, option.maximum_from), st.integers(1, option.maximum_to), max_size=5
            )
            return pairs.map(lambda found: tuple(sorted(found.items())))
        case MacList():
            return st.lists(macs, unique=True, max_size=5).map(lambda found: tuple(sorted(found)))
    raise TypeError(option)


def options(kind: Kind) -> st.SearchStrategy[dict[str, OptionValue]]:
    """Any set of options of a kind, those that are required always there."""
    required = {o.key: values(o) for o in kind.options if o.required}
    other = {o.key: values(o) for o in kind.options if not o.required}
    return st.fixed_dictionaries(required, optional=other)


def common() -> st.SearchStrategy[dict[str, OptionValue]]:
    """Any set of the options that links of every kind have."""
    return st.fixed_dictionaries({}, optional={o.key: values(o) for o in COMMON})
