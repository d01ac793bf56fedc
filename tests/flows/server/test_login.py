"""What is hidden of how a process reaches its server."""

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_CLIENT_CUSTOM_HEADERS,
    temporary_settings,
)

from ccs.blocks.redact import MASK, Redaction
from ccs.flows.server.login import login_secrets


def test_keys_passwords_and_headers_are_hidden_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_PASSWORD", "of-the-database")
    with temporary_settings(
        {
            PREFECT_API_KEY: "pnu_0123456789",
            PREFECT_API_AUTH_STRING: "worker:hunter-22",
            PREFECT_CLIENT_CUSTOM_HEADERS: {"X-Auth-Token": "of-the-proxy", "X-Team": "platform"},
        }
    ):
        clean = Redaction(login_secrets()).clean
    said = "pnu_0123456789 worker:hunter-22 hunter-22 d29ya2VyOmh1bnRlci0yMg== of-the-proxy of-the-database"
    hidden = clean(said).split()
    assert hidden[0] == hidden[1] == hidden[2] == hidden[4] == hidden[5] == MASK
    assert "d29ya2VyOmh1bnRlci0" not in hidden[3]
    assert clean("worker of platform at http://127.0.0.1:4200/api") == "worker of platform at http://127.0.0.1:4200/api"


def test_without_a_login_there_is_nothing_to_hide() -> None:
    with temporary_settings(restore_defaults={PREFECT_API_KEY, PREFECT_API_AUTH_STRING}):
        assert not login_secrets()
