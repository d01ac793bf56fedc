"""What this process reaches the server with: as secret as what is in a profile."""

import json
import os

from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    PREFECT_CLIENT_CUSTOM_HEADERS,
    PREFECT_SERVER_API_AUTH_STRING,
)

from ccs.blocks.sensitivity import MIN_SECRET, is_sensitive


def login_secrets() -> frozenset[str]:
    """The secrets among Prefect's settings, in the environment or its files: keys, passwords, logins in addresses."""
    logins = {PREFECT_API_AUTH_STRING.value() or "", PREFECT_SERVER_API_AUTH_STRING.value() or ""}
    found = {PREFECT_API_KEY.value() or "", *logins, *(login.partition(":")[2] for login in logins)}
    found |= {value for name, value in os.environ.items() if name.startswith("PREFECT_") and is_sensitive(name, value)}
    if is_sensitive("", url := PREFECT_API_URL.value() or ""):
        found.add(url)
    if headers := PREFECT_CLIENT_CUSTOM_HEADERS.value():
        found.add(json.dumps(headers))  # of which redaction hides the sensitive ones
    return frozenset(value for value in found if len(value) >= MIN_SECRET)
