"""Our dataclass is the standard library's: same values, same errors."""

import copy
import dataclasses
import pickle
import pprint
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

import vlanlink
from vlanlink import dataclass
from vlanlink.dataclass import field


def _class(module: Any) -> Any:
    """A class with every feature that the package uses, made by a module."""
    make, field = module.dataclass, module.field

    @make(frozen=True, slots=True)
    class Base:
        a: int
        b: str = "b"

    @make(frozen=True, slots=True)
    class Point(Base):
        c: list[int] = field(default_factory=list, compare=False)
        d: int = field(default=4, compare=False, repr=False)
        e: tuple[int, ...] = field(default=(), init=False)
        f: bool = field(default=False, kw_only=True)

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("negative")

    return Point


@pytest.fixture(params=["first", "compiled", "library"])
def point(request: pytest.FixtureRequest) -> Any:
    """The class: before and after its ``__init__`` is compiled, and the standard library's."""
    made = _class(dataclasses if request.param == "library" else dataclass)
    for _ in range(dataclass.FEW + 1 if request.param == "compiled" else 0):
        made(1)
    return made


def test_values_of_all_forms(point: Any) -> None:
    made = point(1, c=[2], f=True)
    assert (made.a, made.b, made.c, made.d, made.e, made.f) == (1, "b", [2], 4, (), True)
    assert repr(made).endswith("Point(a=1, b='b', c=[2], e=(), f=True)")
    assert point(1).c is not point(1).c
    for module in (dataclass, dataclasses):
        if hasattr(point, "_fields") or module is dataclasses:
            assert module.replace(made, b="x") == point(1, "x", f=True)
            assert [one.name for one in module.fields(point)] == list("abcdef")
    assert "Point(" in pprint.pformat(made, width=10)
    assert dataclasses.asdict(made) == {"a": 1, "b": "b", "c": [2], "d": 4, "e": (), "f": True}
    match made:
        case point(number, text):
            assert (number, text) == (1, "b")
        case _:
            pytest.fail("no match by position")


def test_equality_and_hash_look_at_compared_fields(point: Any) -> None:
    assert point(1, c=[2], d=5) == point(1)
    assert hash(point(1, c=[2])) == hash(point(1))
    assert point(1) != point(2)
    assert point(1) != 1


def test_refusals(point: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        point(-1)
    made = point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'a'"):
        made.a = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'a'"):
        del made.a
    with pytest.raises(AttributeError):
        object.__setattr__(made, "unknown", 1)
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'a'"):
        point()
    with pytest.raises(TypeError):
        point(1, "b", [], 4, True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
        point(1, unknown=1)
    with pytest.raises(TypeError, match="multiple values for argument 'a'"):
        point(1, a=1)
    with pytest.raises(TypeError):
        point(1, e=())


def test_own_methods_stay() -> None:
    @dataclass.dataclass(frozen=True)
    class Named:
        name: str

        def __repr__(self) -> str:
            return self.name

    assert repr(Named("x")) == "x"
    assert Named("x") == Named("x")


@dataclass.dataclass(frozen=True, slots=True)
class Pair:
    one: int
    two: list[int] = field(default_factory=list, compare=False)


@dataclass.dataclass(frozen=True)
class Sum(Pair):
    three: int = 3


@pytest.mark.parametrize("value", [Pair(1, [2]), Sum(1, [2], 4)])
def test_they_can_be_copied_and_pickled(value: Pair) -> None:
    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert (type(made), made, made.two) == (type(value), value, [2])


@pytest.mark.parametrize("kind", [vlanlink.TopologyError, vlanlink.ApplyError])
def test_so_can_errors(kind: type[vlanlink.VlanlinkError]) -> None:
    """A pool of processes hands them over."""
    error = kind(vlanlink.Diagnostic("wrong", hint="mend it"), not_undone=("eth0",))
    error.add_note("told by a tool")
    for made in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert (type(made), str(made), made.to_dict()) == (kind, str(error), error.to_dict())
        assert made.__notes__ == error.__notes__


def test_mutable_ones() -> None:
    @dataclass.dataclass(slots=True)
    class Counter:
        name: str
        seen: list[int] = field(default_factory=list)

    counter = Counter("x")
    counter.name = "y"
    counter.seen.append(1)
    assert counter == Counter("y", [1])
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_a_mutable_default_is_refused() -> None:
    with pytest.raises(ValueError, match="default_factory"):

        @dataclass.dataclass
        class Counter:
            seen: list[int] = []  # noqa: RUF012
