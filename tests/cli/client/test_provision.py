"""The definition of the block type that the command line sends is the one of the class."""

import json
from importlib.resources import files

from ccs.blocks.profile import Profile

DEFINITION = json.loads((files("ccs.blocks") / "profile.json").read_text())


def test_the_file_says_what_the_class_says() -> None:
    schema = DEFINITION["block_schema"]
    assert schema["fields"] == Profile.model_json_schema()
    assert schema["capabilities"] == sorted(Profile.get_block_capabilities())
    assert schema["version"] == Profile.get_block_schema_version()


def test_the_server_would_compute_the_checksum_of_the_class() -> None:
    fields = DEFINITION["block_schema"]["fields"]
    assert Profile._calculate_schema_checksum(fields) == Profile._calculate_schema_checksum()


def test_the_type_is_the_one_of_the_class() -> None:
    kind = DEFINITION["block_type"]
    assert kind["slug"] == Profile.get_block_type_slug()
    assert kind["name"] == Profile.get_block_type_name()
    assert kind["description"] == Profile.get_description()
    assert kind["code_example"] == Profile.get_code_example()
