"""Prefect's profile file: the address is put into it, and everything else stays as it is."""

import tomllib
from pathlib import Path

import pytest

from ccs.cli.client.settings import Settings
from ccs.cli.errors import RequestError
from ccs.cli.local.prefect_profile import point_to

URL = "http://127.0.0.1:4200/api"


def pointed(home: Path, before: str | None) -> tuple[str, str]:
    """The sentence, and the file afterwards."""
    path = home / "profiles.toml"
    if before is not None:
        path.write_text(before)
    said = point_to(Settings({"PREFECT_HOME": str(home), "HOME": str(home)}), URL)
    return said, path.read_text()


@pytest.mark.parametrize(
    ("before", "name"),
    [
        (None, "ccs"),
        ("", "ccs"),
        ('active = "ephemeral"\n\n[profiles.ephemeral]\nPREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"\n', "ccs"),
        ('active = "work"\n\n[profiles.work]\n', "work"),
        ('active = "work"\n\n[profiles.work]\nPREFECT_API_URL = "http://old/api"\nOTHER = "x"\n', "work"),
        ('active = "a b"\n[profiles."a b"]\nOTHER = "x"', "a b"),
        (
            '# mine\nactive = "work"\n[profiles.work]  # here\nOTHER = "x"\n\n[profiles.home]\nPREFECT_API_URL="y"\n',
            "work",
        ),
    ],
    ids=["no file", "empty", "ephemeral", "without", "another", "blank in the name", "comments"],
)
def test_the_active_profile_leads_to_the_server_and_the_rest_stays(
    tmp_path: Path, before: str | None, name: str
) -> None:
    said, after = pointed(tmp_path, before)
    meant = tomllib.loads(before or "")
    meant["active"] = name
    meant.setdefault("profiles", {}).setdefault(name, {})["PREFECT_API_URL"] = URL
    assert tomllib.loads(after) == meant
    assert f"Prefect's profile {name!r}" in said
    assert all(line in after for line in (before or "").splitlines() if line.startswith("#"))


def test_where_it_stands_already_nothing_is_written(tmp_path: Path) -> None:
    text = f'active = "work"\n[profiles.work]\nPREFECT_API_URL = "{URL}"  # as it is\n'
    assert pointed(tmp_path, text) == ("", text)


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    pointed(tmp_path, None)
    assert (tmp_path / "profiles.toml").stat().st_mode & 0o077 == 0


def test_a_form_that_is_not_known_is_left_alone(tmp_path: Path) -> None:
    text = 'active = "work"\nprofiles = { work = { OTHER = "x" } }\n'
    with pytest.raises(RequestError) as caught:
        pointed(tmp_path, text)
    assert f"prefect config set PREFECT_API_URL={URL}" in caught.value.hint
    assert (tmp_path / "profiles.toml").read_text() == text
