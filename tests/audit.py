"""`make security-pip-audit`: pip-audit over a file of pinned dependencies, which tells when it could not look.

pip-audit skips a package that the vulnerability database does not know, and succeeds. Behind a package mirror it
finds no database and skips them all: nothing was audited, and this says so.
"""

import json
import subprocess
import sys
from typing import Any

UNREACHABLE = "no vulnerability database is reachable from here: the pinned dependencies were not audited"


def audit(requirements: str) -> int:
    """Audit the file and tell the result; the exit code: 0 also where nothing could be looked up, 1 for a finding."""
    command = ["-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    done = subprocess.run(
        [sys.executable, *command, "--requirement", requirements], capture_output=True, text=True, check=False
    )
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, LookupError):
        if "ConnectionError" in done.stderr or "Max retries exceeded" in done.stderr:
            print(UNREACHABLE)
            return 0
        print(done.stderr.strip() or f"pip-audit ended with {done.returncode} and no report")
        return 1
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        print(UNREACHABLE)
        return 0
    findings = [(package, found) for package in audited for found in package["vulns"]]
    for package, found in findings:
        fixed = ", ".join(found["fix_versions"]) or "no version"
        print(f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}")
    print(f"{len(audited)} of {len(packages)} packages audited, known vulnerabilities: {len(findings)}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1]))
