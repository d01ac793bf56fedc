"""The message of a task's commit, whatever names and results hold."""

import pytest

from ccs.flows.git.message import Origin


def test_a_message_is_a_subject_and_trailers() -> None:
    origin = Origin("nightly", "fix", "run-1", session="s-1", result="Fixed the tests.\n\nAll of them.")
    assert origin.text == (
        "nightly/fix: Fixed the tests.\n\nCcs-Job: nightly\nCcs-Task: fix\nCcs-Run: run-1\nClaude-Session: s-1\n"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert Origin("nightly", "fix", "run-1").text == "nightly/fix\n\nCcs-Job: nightly\nCcs-Task: fix\nCcs-Run: run-1\n"


@pytest.mark.parametrize(
    ("result", "subject"),
    [
        ("## Done\nmore", "j/t: Done"),
        ("- * # \n\n**Done** now", "j/t: Done** now"),
        ("\n\n  \nat last", "j/t: at last"),
        ("a\tb   c", "j/t: a b c"),
        ("---\n***", "j/t"),
        ("\x1b[2Jclear", "j/t: [2Jclear"),
        ("x" * 60, f"j/t: {'x' * 49}…"),
        (f"{'x' * 49} yz", f"j/t: {'x' * 49}…"),
        ("x" * 50, f"j/t: {'x' * 50}"),
    ],
)
def test_the_subject_ends_with_the_first_line_that_says_something(result: str, subject: str) -> None:
    assert Origin("j", "t", "r", result=result).text.splitlines()[0] == subject


def test_long_names_are_cut_in_the_subject_and_whole_in_the_trailers() -> None:
    text = Origin("j" * 50, "t" * 50, "r").text
    assert text.startswith(f"{'j' * 39}…/{'t' * 39}…\n")
    assert f"Ccs-Job: {'j' * 50}\n" in text


@pytest.mark.parametrize("name", ["a\nCcs-Run: another", "a\rb", "a\x00b", "a\u2028b", "\ud800a"], ids=repr)
def test_no_name_adds_a_line(name: str) -> None:
    text = Origin(name, name, "r").text
    assert len(text.splitlines()) == 5
    assert text.encode()
