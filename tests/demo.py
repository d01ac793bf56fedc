"""`make demo`: a job of three tasks in a sample repository, from nothing to the cost table, and nothing left behind.

Everything it writes is under .demo. Without credentials the real `claude` talks to the scripted API of the tests;
with CCS_DEMO_LIVE=1 it is your own `claude` with your own login.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fakes.anthropic import FakeApi
from tests.worlds.claude import bundled_claude

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
APP = FOLDER / "app"
CCS = str(Path(sys.executable).with_name("ccs"))

PRICES = '''"""Prices of the shop."""


def total(prices: list[float]) -> float:
    return sum(prices[1:])
'''
CHECK = '''"""Says whether the prices add up."""

from prices import total

assert total([1.0, 2.0, 3.0]) == 6.0, "the total of 1, 2 and 3 is not 6"
print("all good")
'''
TASKS = (
    ("triage", "Read prices.py and say what is wrong with total.", "default", ()),
    ("fix", "Fix total in prices.py so that python3 check.py passes.", "acceptEdits", ("Read", "Edit")),
    ("verify", "Run python3 check.py and report what it prints.", "default", ("Bash(python3 check.py)",)),
)


def script(app: Path) -> list[list[object]]:
    """What the scripted API answers to each of the prompts above: real tool calls, carried out by the real claude."""
    read = {"tool": "Read", "input": {"file_path": str(app / "prices.py")}}
    edit = {
        "tool": "Edit",
        "input": {"file_path": str(app / "prices.py"), "old_string": "prices[1:]", "new_string": "prices"},
    }
    run = {"text": "I run the check.", "tool": "Bash", "input": {"command": "python3 check.py"}}
    return [
        ["and say what is wrong", [read, {"text": "total leaves out the first price: it sums prices[1:]."}]],
        ["Fix total", [read, edit, {"text": "total now sums all prices."}]],
        ["report what it prints", [run, {"text": "python3 check.py prints: {{last}}"}]],
    ]


def environment(live: bool) -> dict[str, str]:
    """What the demo's processes see: nothing of the caller's, but in live mode what `claude` needs to log in."""
    kept = ("PATH", "LANG", "TERM", "NO_COLOR", "COLUMNS", "USER", "IS_SANDBOX")
    given = {name: os.environ[name] for name in kept if name in os.environ}
    if live:
        given |= {k: v for k, v in os.environ.items() if k == "HOME" or k.startswith(("CLAUDE_", "CCS_CLAUDE"))}
    else:
        given |= {"HOME": str(FOLDER / "home"), "CCS_CLAUDE": str(bundled_claude()), "DEMO_KEY": "sk-demo-not-a-key"}
    own = {"PREFECT_HOME": "prefect", "CCS_HOME": "ccs", "TMPDIR": "tmp"}
    return given | {name: str(FOLDER / folder) for name, folder in own.items()}


def ccs(*arguments: str, env: dict[str, str], check: bool = True) -> int:
    """Show and run one `ccs` command, as a user would type it on a terminal."""
    print(f"\n$ ccs {shlex.join(arguments)}", flush=True)
    code = subprocess.run([CCS, *arguments, "--output", "table"], env=env, cwd=APP, check=False).returncode
    if check and code:
        raise SystemExit(f"demo: that command ended with exit code {code}")
    return code


def git(*arguments: str) -> None:
    who = ("-c", "user.name=demo", "-c", "user.email=demo@localhost", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *arguments], cwd=APP, check=True)


def prepare(env: dict[str, str]) -> None:
    """Make the folder anew; what an interrupted demo left running is stopped first."""
    if FOLDER.exists():
        APP.mkdir(exist_ok=True)
        subprocess.run([CCS, "down", "--now"], env=env, cwd=APP, check=False, capture_output=True)
        shutil.rmtree(FOLDER)
    for folder in ("home", "tmp", "app"):
        (FOLDER / folder).mkdir(parents=True)
    (APP / "prices.py").write_text(PRICES)
    (APP / "check.py").write_text(CHECK)
    (APP / ".gitignore").write_text("__pycache__/\n")  # else the byte code of a task's test run is a change, too
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "A shop whose prices do not add up")


def run(env: dict[str, str], profile: tuple[str, ...]) -> int:
    """The demo itself; the exit code is that of the run."""
    try:
        ccs("up", "-d", env=env)
        if profile:
            ccs("profiles", "create", "demo", *profile, env=env)
        chosen = ("--profile", "demo") if profile else ()
        ccs("jobs", "create", "--name", "demo", "--working-directory", str(APP), *chosen, env=env)
        for name, prompt, permissions, tools in TASKS:
            allowed = [argument for tool in tools for argument in ("--allowed-tools", tool)]
            ccs(
                *("tasks", "create", "--job", "demo", "--name", name, "--prompt", prompt),
                *("--permissions", permissions, *allowed),
                env=env,
            )
        code = ccs("jobs", "run", "demo", "--wait", env=env, check=False)
        ccs("runs", "list", env=env)
        print("\n$ git show", flush=True)
        git("--no-pager", "show", "--format=%an: %B")
        ccs("status", env=env)
    finally:  # also when nobody reads any more what it prints
        with contextlib.suppress(BrokenPipeError):
            print("\n$ ccs down", flush=True)
        subprocess.run([CCS, "down"], env=env, cwd=APP, check=False)
    return code


def main() -> int:
    live = os.environ.get("CCS_DEMO_LIVE") == "1"
    env = environment(live)
    print(f"The demo writes only under {FOLDER}")
    if live:
        print("CCS_DEMO_LIVE=1: it uses your own claude and login, and spends a few cents.")
    else:
        print("No credentials needed: the real claude talks to a SCRIPTED FAKE of the Anthropic API on this machine.")
        print("The tool calls, the edits and the checks are real; the words and the costs are not.")
        print("With CCS_DEMO_LIVE=1 it uses your own claude and login.")
    prepare(env)
    if live:
        return run(env, ())
    with FakeApi(rules=script(APP)) as api:
        return run(env, ("--env", f"ANTHROPIC_BASE_URL={api.url}", "--env", "ANTHROPIC_API_KEY=env:DEMO_KEY"))


if __name__ == "__main__":
    sys.exit(main())
