"""Names of variables: each thing has one of its own, the server takes it, and what it is about can be read again."""

import re
from uuid import uuid4

from ccs.flows.server import names
from ccs.flows.server.names import limit_variable


def test_each_profile_and_node_has_a_variable_of_its_own_and_the_server_takes_the_name() -> None:
    given = [
        ("a", ""),
        ("node", ""),
        ("node-a", ""),
        (None, "a"),
        (None, "a.b"),
        (None, "a b"),
        (None, "A B"),
        (None, "节"),
    ]
    names = [limit_variable(profile, node) for profile, node in [*given, (None, "点"), (None, "x" * 500)]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"ccs_limit_[a-z0-9_-]{1,200}", name) for name in names)


def test_whose_a_limit_is_stands_in_its_name() -> None:
    assert names.limited(limit_variable("node-a", "")) == (False, "node-a")
    assert names.limited(limit_variable(None, "a")) == (True, "a")
    assert names.probe_variable(limit_variable("a", "")) == "ccs_probe_a"


def test_a_record_of_a_paused_job_leads_to_its_deployment() -> None:
    job = uuid4()
    assert names.paused_deployment(names.paused_variable(str(job))) == job.hex


def test_states_of_sums_are_in_the_order_of_their_numbers_and_told_from_what_looks_like_them() -> None:
    tag = names.spent_tag("profile", "work")
    states = [names.spent_variable(tag, number) for number in (0, 9, 10, 123_456)]
    assert states == sorted(states)
    assert [names.spent_number(tag, state) for state in states] == [0, 9, 10, 123_456]
    assert names.spent_number(tag, f"{tag}_v0") == 0
    assert {names.spent_number(tag, other) for other in (tag, f"{tag}_v", f"{tag}_vx", f"{tag}-2_v1")} == {None}
