"""The profile as a block: what a program saves with it."""

from ccs.blocks.env import Source, Variable
from ccs.blocks.profile import Profile


def test_a_static_value_that_looks_like_a_secret_is_saved_as_one() -> None:
    static = {"DB_PASSWORD": "hunter2-hunter2", "SIM_PIN": "0042", "COLOUR": "vermilion"}
    made = Profile(variables={name: Variable(source=Source.STATIC, value=value) for name, value in static.items()})
    assert set(made.variables) == {"SIM_PIN", "COLOUR"}
    assert made.secrets.get_secret_value() == {"DB_PASSWORD": "hunter2-hunter2"}
    assert "hunter2" not in repr(made)
    assert made.resolve("p", {}).values == static
