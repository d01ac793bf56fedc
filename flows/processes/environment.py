"""The environment of a process of ours: an allow-list of the node's variables, and the profile."""

import os
import pwd
from collections.abc import Collection, Mapping

_WHO = ("HOME", "PATH", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "LANG", "LANGUAGE")
_LOGIN = ("SSH_AUTH_SOCK", "CLAUDE_CONFIG_DIR", "IS_SANDBOX")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY")
_CERTIFICATES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"),
)
_COMMITS = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")

_PASSED_ON = frozenset(
    (*_WHO, *_LOGIN, *_PROXIES, *(name.lower() for name in _PROXIES), *_CERTIFICATES, *_COMMITS),
)
_PASSED_ON_PREFIXES = ("LC_", "XDG_")

TUNING = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
"""What a profile may override or unset."""

SAFETY = {
    # one result line, and no ten minutes of waiting for something in the background
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    # an update in the middle of a night has broken runs
    "DISABLE_AUTOUPDATER": "1",
}
"""What a profile cannot change."""


def passed_on(node: Mapping[str, str]) -> dict[str, str]:
    """What any process of ours, and so any program that a repository names, may know of the node's variables.

    Never ANTHROPIC_*, AWS_*, PREFECT_*, tokens or other secrets.
    """
    return {k: v for k, v in node.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_PREFIXES)}


def child_environment(
    node: Mapping[str, str], values: Mapping[str, str], removed: Collection[str], marks: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of an attempt, or of a command beside it.

    From the node come only the variables that are `passed_on`. The profile's `values` win over them and over TUNING,
    its `removed` are taken out, SAFETY and the run's `marks` come last. HOME and PATH are always set: without HOME,
    `claude` would write into the home of the password file unasked.
    """
    environment = passed_on(node) | TUNING
    environment |= values
    for name in removed:
        environment.pop(name, None)
    if not environment.get("ANTHROPIC_BASE_URL", "").strip():
        environment.pop("ANTHROPIC_BASE_URL", None)  # empty, it would mean the public API and a confusing log
    if not environment.get("HOME"):
        environment["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
    if not environment.get("PATH"):
        environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    return {**environment, **SAFETY, **marks}
