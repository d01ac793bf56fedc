"""Where the server is: flag, environment, Prefect's profile file, default; and writing that file."""

import tomllib
from pathlib import Path

import pytest

from ccs.cli.client.settings import DEFAULT_API_URL, Settings
from ccs.cli.errors import RequestError
from ccs.cli.local import prefect_profile
from ccs.flows.node.files import expanded
from tests.worlds.cli import Cli

PROFILES = """\
# mine
active = "work"

[profiles.work]
PREFECT_API_URL = "https://work.example/prefect/api/"
PREFECT_API_AUTH_STRING = "me:secret"

[profiles."with blank"]
PREFECT_API_KEY = "pnu_1"
"""


def settings(tmp_path: Path, text: str | None = None, flag: str | None = None, **env: str) -> Settings:
    if text is not None:
        (tmp_path / "profiles.toml").write_text(text)
    return Settings({"PREFECT_HOME": str(tmp_path), **env}, flag)


def test_without_any_setting_the_server_is_the_local_one(tmp_path: Path) -> None:
    nothing = settings(tmp_path)
    assert (nothing.api_url, nothing.configured, nothing.pool) == (DEFAULT_API_URL, False, "ccs")
    assert nothing.headers == {}


def test_the_active_profile_of_prefect_counts(tmp_path: Path) -> None:
    work = settings(tmp_path, PROFILES)
    assert work.api_url == "https://work.example/prefect/api"
    assert work.headers == {"Authorization": "Basic bWU6c2VjcmV0"}
    assert work.ui_url == "https://work.example/prefect"


def test_a_flag_beats_the_environment_and_the_environment_beats_the_profile(tmp_path: Path) -> None:
    env = {"PREFECT_API_URL": "http://env:1/api"}
    assert settings(tmp_path, PROFILES, **env).api_url == "http://env:1/api"
    assert settings(tmp_path, PROFILES, **env, CCS_API_URL="http://ccs:1/api").api_url == "http://ccs:1/api"
    assert settings(tmp_path, PROFILES, "http://flag:1/api", **env).api_url == "http://flag:1/api"


def test_another_profile_can_be_chosen_for_one_call(tmp_path: Path) -> None:
    chosen = settings(tmp_path, PROFILES, PREFECT_PROFILE="with blank")
    assert chosen.headers == {"Authorization": "Bearer pnu_1"}
    assert not chosen.configured
    assert settings(tmp_path, PROFILES, PREFECT_PROFILE="local").configured


def test_the_profile_file_can_be_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(PROFILES)
    assert Settings({"PREFECT_PROFILES_PATH": str(tmp_path / "other.toml")}).active_profile == "work"


def test_a_broken_profile_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        _ = settings(tmp_path, "active = ").api_url


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/api", "http://", "http://x:notaport/api"])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(RequestError, match="not an http or https address"):
        _ = settings(tmp_path, flag=url).api_url


def test_a_login_in_the_address_is_used_and_never_shown(tmp_path: Path) -> None:
    given = "  https://me:s%23cret@work.example/prefect/api/\r\n"
    work = settings(tmp_path, PREFECT_API_URL=given)
    assert work.api_url == "https://work.example/prefect/api"
    assert work.ui_url == "https://work.example/prefect"
    assert work.headers == {"Authorization": "Basic bWU6cyNjcmV0"}  # me:s#cret
    assert work.at(work.api_url).headers == work.headers
    for_node = {"PREFECT_API_URL": work.api_url, "PREFECT_API_AUTH_STRING": "me:s#cret"}
    assert work.environment_for(work.api_url) == for_node
    embedded = {"PREFECT_API_URL": "http://127.0.0.1:4200/api"}
    assert work.environment_for(embedded["PREFECT_API_URL"]) == embedded
    assert settings(tmp_path, PREFECT_API_URL=given, PREFECT_API_KEY="k").headers["Authorization"] == "Bearer k"
    for line in (["doctor"], ["debug", "settings"], ["jobs", "list"]):
        said = Cli({"PREFECT_API_URL": "http://me:s%23cret@127.0.0.1:9/api"})(*line)
        assert "http://127.0.0.1:9/api" in said.out + said.err
        assert "cret" not in said.out + said.err


@pytest.mark.parametrize("key", ["a\nb", "ü", "a\x00"])
def test_a_key_that_no_header_takes_is_refused_without_showing_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(RequestError, match="the header 'Authorization' holds what no header may") as caught:
        _ = settings(tmp_path, PREFECT_API_KEY=key).headers
    assert key not in str(caught.value) + caught.value.hint


def test_extra_headers_and_certificates_are_honoured(tmp_path: Path) -> None:
    proxied = settings(tmp_path, PREFECT_CLIENT_CUSTOM_HEADERS='{"X-Proxy": "1"}', PREFECT_API_SSL_CERT_FILE="/ca.pem")
    assert proxied.headers == {"X-Proxy": "1"}
    assert proxied.verify == "/ca.pem"
    assert settings(tmp_path, PREFECT_API_TLS_INSECURE_SKIP_VERIFY="true").verify is False


def written(tmp_path: Path, before: str | None) -> str:
    prefect_profile.point_to(settings(tmp_path, before), "http://127.0.0.1:4200/api")
    return (tmp_path / "profiles.toml").read_text()


def test_without_a_profile_one_is_made_and_chosen(tmp_path: Path) -> None:
    meant = {"active": "ccs", "profiles": {"ccs": {"PREFECT_API_URL": "http://127.0.0.1:4200/api"}}}
    assert tomllib.loads(written(tmp_path, None)) == meant


def test_the_users_own_profile_gets_the_address_and_keeps_the_rest(tmp_path: Path) -> None:
    before = (
        '# mine\nactive = "dev"\n\n[profiles.dev]\nPREFECT_LOGGING_LEVEL = "DEBUG"  # loud\n\n[profiles.x]\nA = "b"\n'
    )
    after = written(tmp_path, before)
    assert "# mine" in after
    assert "# loud" in after
    assert tomllib.loads(after)["profiles"] == {
        "dev": {"PREFECT_API_URL": "http://127.0.0.1:4200/api", "PREFECT_LOGGING_LEVEL": "DEBUG"},
        "x": {"A": "b"},
    }


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_file_stays_whose_it_is_and_where_it_is(tmp_path: Path, mode: int) -> None:
    file, link = tmp_path / "elsewhere", tmp_path / "profiles.toml"
    file.write_text('active = "dev"\n\n[profiles.dev]\nPREFECT_API_KEY = "secret"\n')
    file.chmod(mode)
    link.symlink_to(file)
    assert "PREFECT_API_URL" in written(tmp_path, None)
    assert (link.is_symlink(), file.stat().st_mode & 0o777) == (True, mode)


def test_an_ephemeral_profile_is_left_alone_and_another_is_chosen(tmp_path: Path) -> None:
    before = 'active = "ephemeral"\n\n[profiles.ephemeral]\nPREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"\n'
    after = tomllib.loads(written(tmp_path, before))
    assert after["active"] == "ccs"
    assert after["profiles"]["ephemeral"] == {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true"}


def test_an_old_address_is_replaced(tmp_path: Path) -> None:
    before = 'active = "ccs"\n[profiles.ccs]\nPREFECT_API_URL = "http://127.0.0.1:4999/api"\n'
    assert written(tmp_path, before).count("PREFECT_API_URL") == 1


def test_nothing_is_written_when_nothing_changes(tmp_path: Path) -> None:
    text = written(tmp_path, None)
    assert prefect_profile.point_to(settings(tmp_path), "http://127.0.0.1:4200/api") == ""
    assert (tmp_path / "profiles.toml").read_text() == text


def test_a_file_of_another_form_is_not_touched(tmp_path: Path) -> None:
    before = 'active = "a"\nprofiles = { a = { PREFECT_LOGGING_LEVEL = "INFO" } }\n'
    with pytest.raises(RequestError, match="not changed here"):
        written(tmp_path, before)
    assert (tmp_path / "profiles.toml").read_text() == before


def test_a_path_of_a_user_that_is_not_here_is_one_sentence(tmp_path: Path) -> None:
    ccs = Cli({"PREFECT_API_URL": "http://127.0.0.1:9/api", "CCS_HOME": str(tmp_path), "HOME": str(tmp_path)})
    path = "~no-such-user/x"
    for line in (
        ("jobs", "create", "--name", "a", "-C", path),
        ("jobs", "import", path),
        ("cost", "--plot", f"{path}.png"),
        ("worktrees", "list", "-C", path),
        ("import-legacy", path),
        ("tasks", "create", "--job", "a", "--name", "b", "--prompt", "c", "--output-schema", path),
        ("up", "-d", "--claude", path),
    ):
        said = ccs(*line)
        assert (said.code, "of a user that is not on this machine" in said.err) == (1, True), (line, said)
    nowhere = Cli({"PREFECT_API_URL": "http://127.0.0.1:9/api", "CCS_HOME": path, "HOME": str(tmp_path)})
    said = nowhere("up", "-d")
    assert (said.code, "CCS_HOME '~no-such-user/x' begins with the name of a user" in said.err) == (1, True), said
    assert expanded("~/x") == Path.home() / "x"
