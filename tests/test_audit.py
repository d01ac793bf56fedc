"""The audit of the dependencies: a finding fails, and what was not looked at is never called sound."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import audit

SOUND = {"name": "a", "version": "1", "vulns": []}
HOLED = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (3)"}
BROKEN = "requests.exceptions.ConnectionError: Max retries exceeded with url: /pypi/a/1/json"


@pytest.mark.parametrize(
    ("report", "stderr", "code", "said"),
    [
        ([SOUND, SKIPPED], "", 0, "1 of 2 packages audited, known vulnerabilities: 0\n"),
        ([SOUND, HOLED], "", 1, "b 2: CVE-1, fixed in 3\n2 of 2 packages audited, known vulnerabilities: 1\n"),
        ([SKIPPED, SKIPPED], "", 0, f"{audit.UNREACHABLE}\n"),
        (None, BROKEN, 0, f"{audit.UNREACHABLE}\n"),
        (None, "error: no hash for a==1", 1, "error: no hash for a==1\n"),
    ],
)
def test_the_result_is_told_as_it_is(
    report: list[dict[str, Any]] | None,
    stderr: str,
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = "" if report is None else json.dumps({"dependencies": report})
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{out}\nEND\ncat >&2 <<'END'\n{stderr}\nEND\nexit 1\n")
    python.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(python))
    assert audit.audit("constraints.txt") == code
    assert capsys.readouterr().out == said
