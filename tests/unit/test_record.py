"""Records to JSON and back, and what several of them say together."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlanlink.host import is_topology_name
from vlanlink.store.documents import UnreadableError
from vlanlink.store.record import OriginalLink, OriginalSysctl, Record, Records, in_transition

LATER = ("stands_on", "uses")
texts = st.text(max_size=9).filter(lambda text: "\0" not in text)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
words = st.from_regex(r"[a-z0-9 -]{0,9}", fullmatch=True)
keys = st.from_regex(r"net/[a-z0-9_]{1,9}(/[a-z0-9_.]{0,8}[a-z0-9_]){1,3}", fullmatch=True)
originals = st.builds(
    OriginalSysctl, st.none() | words, words, st.lists(words, max_size=3).map(tuple)
)
records = st.builds(
    Record,
    topology=names.filter(is_topology_name),
    file=st.none() | texts,
    text=texts,
    namespaces=st.lists(names, max_size=3).map(tuple),
    uses=st.lists(names, max_size=3).map(tuple),
    stands_on=st.lists(names, max_size=3).map(tuple),
    paths=st.dictionaries(names, names.map("/proc/".__add__), max_size=3),
    sysctls=st.dictionaries(
        st.just("") | names, st.dictionaries(keys, originals, max_size=3), max_size=3
    ),
    parents=st.dictionaries(texts, st.builds(OriginalLink, st.none() | st.booleans()), max_size=3),
    routes=st.lists(st.tuples(st.just("") | names, texts), max_size=3).map(tuple),
)


@given(record=records)
def test_records_round_trip(record: Record) -> None:
    assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record


@given(record=records)
def test_nothing_of_a_record_is_lost_in_json(record: Record) -> None:
    assert set(record.to_dict()) == {"version", *(f.name for f in fields(Record))}


@pytest.mark.parametrize("key", LATER)
def test_a_key_that_the_first_records_lack_is_empty(key: str) -> None:
    data = {k: v for k, v in Record("office").to_dict().items() if k != key}
    assert Record.from_dict(data) == Record("office")


@pytest.mark.parametrize("key", sorted(Record("office").to_dict().keys() - set(LATER)))
def test_a_key_that_is_missing_is_an_error(key: str) -> None:
    data = {k: v for k, v in Record("office").to_dict().items() if k != key}
    with pytest.raises(UnreadableError, match=f"'{key}' is missing|has no version"):
        Record.from_dict(data)


@pytest.mark.parametrize("where", [(), ("parents", "eth0")])
def test_a_key_that_is_unknown_is_an_error(where: tuple[str, ...]) -> None:
    data = Record("office", parents={"eth0": OriginalLink(up=False)}).to_dict()
    inner = data
    for key in where:
        inner = inner[key]
    inner["more"] = 1
    with pytest.raises(UnreadableError, match="unknown key 'more'"):
        Record.from_dict(data)


def test_a_record_of_another_version_is_an_error() -> None:
    with pytest.raises(UnreadableError, match="version 2 is from a newer vlanlink"):
        Record.from_dict(Record("office").to_dict() | {"version": 2})


KEY = "net/ipv4/ip_forward"
PRIOR = OriginalSysctl("0", "1")
OFFICE = Record("office", sysctls={"": {KEY: OriginalSysctl("0", "1")}})
LAB = Record(
    "lab", sysctls={"": {KEY: OriginalSysctl("2", "1")}, "web": {KEY: OriginalSysctl("1", "0")}}
)


def test_records_are_sorted_by_whose_they_are() -> None:
    found = Records.of("office", [LAB, OFFICE])
    assert found == Records(OFFICE, (LAB,))
    assert Records.of("home", [LAB, OFFICE]) == Records(None, (LAB, OFFICE))
    assert Records.of("office", []) == Records()


def test_the_oldest_value_of_a_sysctl() -> None:
    assert Records.of("office", [LAB, OFFICE]).sysctl("", KEY) == OriginalSysctl("0", "1")
    assert Records.of("home", [LAB, OFFICE]).sysctl("", KEY) == OriginalSysctl("2", "1")
    assert Records.of("office", [LAB, OFFICE]).sysctl("web", KEY) == OriginalSysctl("1", "0")
    assert Records.of("office", [OFFICE]).sysctl("web", KEY) is None


def test_another_topology_that_wrote_a_sysctl() -> None:
    found = Records.of("office", [LAB, OFFICE])
    assert found.held_by("", KEY) == LAB
    assert found.held_by("db", KEY) is None
    assert Records.of("lab", [LAB, replace(OFFICE, sysctls={})]).held_by("", KEY) is None


def test_on_the_way_both_records_hold() -> None:
    before = Record("office", sysctls={"": {KEY: OriginalSysctl("0", "1", ("3",)), "a": PRIOR}})
    after = Record(
        "office", "new", sysctls={"": {KEY: OriginalSysctl("0", "2")}, "web": {"b": PRIOR}}
    )
    found = in_transition(before, after)
    assert found.file == "new"
    assert found.sysctls == {
        "": {KEY: OriginalSysctl("0", "2", ("1", "3")), "a": PRIOR},
        "web": {"b": PRIOR},
    }
    assert in_transition(None, after) == after
    assert in_transition(after, after) == after


@given(before=records, after=records)
def test_on_the_way_nothing_of_either_is_missing(before: Record, after: Record) -> None:
    found = in_transition(before, after)
    for each in (before, after):
        assert {*each.namespaces} <= {*found.namespaces}
        assert {*each.routes} <= {*found.routes}
        assert each.paths.keys() <= found.paths.keys()
        assert each.parents.keys() <= found.parents.keys()
        for space, priors in each.sysctls.items():
            assert all(found.sysctls[space][key].is_ours(p.written) for key, p in priors.items())
