"""docs/json.schema.json: generated, valid, complete; ``VLANLINK_GOLDEN_UPDATE=1`` writes it again.

What verbs print is judged by it wherever a test reads JSON.
"""

import json
import os

import jsonschema
import pytest

import vlanlink
from tests.json_schema import DOCUMENTS, PAGE, judge, published
from tests.unit.test_tables import ENDS, LEASES, NETWORKS, STATUSES
from vlanlink import Diagnostic
from vlanlink.cli.parser import parser, parsers
from vlanlink.inventory import NetworkDetail
from vlanlink.planning.plan import Plan

VALUES = (
    ("plan", Plan("office")),
    ("status", STATUSES[1]),
    ("verify", vlanlink.Verification("office", "up")),
    ("inspect", NETWORKS[0]),
    ("doctor", vlanlink.Report("office", (vlanlink.Finding("a", "note", "b", "c"),))),
    ("enable", vlanlink.AtBoot("office", True, (vlanlink.Step("create", "file", "x"),))),
    ("restart", vlanlink.Restart("office", Plan("office"), Plan("office"))),
    ("watch", vlanlink.Event("drift", "office", ("x",), Plan("office"), (Diagnostic("m"),))),
    ("confirm", vlanlink.Confirmation("office", True, 1.0)),
    ("up", vlanlink.ApplyError(Diagnostic("m"), not_undone=("x",))),
)


def test_the_page_is_generated() -> None:
    text = json.dumps(published(), indent=1) + "\n"
    if os.environ.get("VLANLINK_GOLDEN_UPDATE"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text
    jsonschema.Draft202012Validator.check_schema(published())


def test_every_verb_with_json_has_a_schema() -> None:
    found = {
        name
        for name, sub in parsers(parser()).items()
        if any("--json" in action.option_strings for action in sub._actions)
    }
    assert found == set(DOCUMENTS), "tests/json_schema.py has a schema for each verb"


@pytest.mark.parametrize(("verb", "value"), VALUES, ids=[verb for verb, _ in VALUES])
def test_values(verb: str, value: object) -> None:
    document = value.to_dict()  # type: ignore[attr-defined]
    judge(verb, document)
    with pytest.raises(jsonschema.ValidationError):
        judge(verb, {**document, "more": 1})
    with pytest.raises(jsonschema.ValidationError):
        judge(verb, {key: one for key, one in document.items() if key != "version"})


def test_rows() -> None:
    assert ENDS
    judge("leases", {"version": 1, "leases": [lease.to_dict() for lease in LEASES]})
    summaries = [one.summary.to_dict() for one in NETWORKS if isinstance(one, NetworkDetail)]
    judge("ls", {"version": 1, "networks": summaries})
    judge("status", {"version": 1, "topologies": [one.to_dict() for one in STATUSES]})
