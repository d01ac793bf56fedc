"""Findings: their levels, and the worst first."""

from ccs.cli.diagnosis.findings import Finding, Level, fail, info, ok, ranked, warn


def test_each_kind_has_its_level() -> None:
    assert fail("a", "it is broken", "mend it") == Finding(Level.FAIL, "a", "it is broken", "mend it")
    assert [f.level for f in (warn("a", "b"), ok("a", "b"), info("a", "b"))] == [Level.WARN, Level.OK, Level.INFO]
    assert ok("a", "b").do == ""


def test_the_worst_comes_first_and_equals_stay_in_order() -> None:
    found = [info("1", ""), warn("2", ""), ok("3", ""), fail("4", ""), warn("5", ""), fail("6", "")]
    assert [finding.id for finding in ranked(iter(found))] == ["4", "6", "2", "5", "3", "1"]
    assert ranked([]) == []
