"""Every module is tested in the file of its name, or in one that is named here; tests are no less than source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_walls import MODULES, NEVER_PREFECT, ROOT, name_of, within

ELSEWHERE = {  # by the file of the tests, below tests/: the modules that are tested there, each in one place
    "blocks/test_redact.py": "blocks.spellings",
    "cli/test_surface.py": "cli.app cli.main cli.commands.options",
    "cli/test_server_trouble.py": "cli.client.api",
    "cli/client/test_exports.py": "cli.client.drafts cli.legacy.exports",
    "cli/client/test_moving.py": "cli.client.renaming",
    "cli/client/test_lock.py": "cli.client.editing",
    "cli/commands/test_doctor.py": "cli.diagnosis.machine cli.diagnosis.server",
    "cli/commands/test_explain.py": "cli.commands.open cli.diagnosis.reasons cli.diagnosis.overlap",
    "cli/commands/test_cost.py": "cli.diagnosis.budgets flows.budgets.pause",
    "cli/commands/test_import_legacy.py": "cli.commands.takeover",
    "cli/commands/test_jobs.py": "cli.commands.tasks cli.client.views",
    "cli/commands/test_profiles.py": "cli.commands.profile_options",
    "cli/commands/test_runs.py": (
        "cli.client.results cli.client.starting cli.client.stopping cli.terminal.results "
        "cli.commands.following cli.commands.run cli.commands.starting"
    ),
    "cli/commands/test_state.py": "cli.commands.debug cli.commands.nodes cli.commands.stats cli.commands.status",
    "cli/commands/test_up.py": "cli.local.embedded cli.local.process",
    "cli/diagnosis/test_limits.py": "cli.terminal.limits",
    "cli/legacy/test_takeover.py": "cli.legacy.jobs cli.legacy.profiles",
    "cli/terminal/test_fields.py": "cli.commands.job_options cli.commands.task_options",
    "cli/terminal/test_live.py": "cli.commands.editor",
    "cli/terminal/test_output.py": "cli.terminal.findings",
    "cli/test_dry_run.py": "cli.terminal.rehearsal",
    "deployments/node/test_node.py": "deployments.node.__main__ deployments.node.wake",
    "deployments/node/test_worker.py": ("deployments.node.environment deployments.node.forks deployments.node.zygote"),
    "flows/budgets/test_budget.py": "flows.budgets.reservations",
    "flows/claude/test_stream.py": "flows.claude.events flows.claude.narration",
    "flows/claude/test_stubs.py": "flows.claude.story flows.processes.pump",
    "flows/git/test_aside.py": "flows.git.busy flows.git.submodules",
    "flows/git/test_commit.py": "flows.git.selection",
    "flows/git/test_commit_hooks.py": "flows.git.command",
    "flows/git/test_programs.py": "flows.git.settings",
    "flows/git/test_snapshot.py": "flows.git.index flows.git.repository",
    "cli/commands/test_worktrees.py": "flows.git.pruning",
    "flows/processes/test_survivors.py": "flows.processes.guard flows.processes.process",
    "flows/run/test_attempts.py": "flows.run.run",
    "flows/schedules/test_schedule.py": "flows.schedules.cron",
    "flows/server/test_variables.py": "flows.server.connection",
    "flows/spec/test_job.py": "flows.spec.parameters flows.spec.task flows.spec.verdict",
    "flows/test_job.py": "flows.record.outcome flows.record.page flows.run.profile flows.run.task",
    "flows/workplace/test_workplace.py": "flows.workplace.opening",
}
PLACES = {module: test for test, modules in ELSEWHERE.items() for module in modules.split()}


def does_something(path: Path) -> bool:
    """Whether there is anything to test in a module: types, names and figures alone are none."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(ast.parse(path.read_text()))
    )


TESTABLE = [name_of(path) for path in MODULES if does_something(path)]


WITH_PREFECT = {  # they look at what the server or Prefect itself makes of it
    *("tests.cli.client.test_provision", "tests.cli.commands.test_cost", "tests.flows.server.test_variables"),
    *("tests.flows.budgets.test_ledger", "tests.flows.budgets.test_offer"),
}


def own_place(module: str) -> str:
    """The file that tests a module unless another one does."""
    *rooms, name = module.split(".")
    return "/".join([*rooms, f"test_{name}.py"])


@pytest.mark.parametrize("module", TESTABLE)
def test_a_module_is_tested_in_one_place(module: str) -> None:
    own = ROOT / "tests" / own_place(module)
    elsewhere = PLACES.get(module)
    assert own.exists() or elsewhere, f"{module}: write {own_place(module)}, or name the file of its tests"
    assert not (own.exists() and elsewhere), f"{module} has tests of its own now: take it out of the table"


def test_the_table_names_what_there_is() -> None:
    assert set(PLACES) <= set(TESTABLE)
    assert [test for test in ELSEWHERE if not (ROOT / "tests" / test).exists()] == []


def test_there_is_no_less_of_tests_than_of_source() -> None:
    def lines(paths: list[Path]) -> int:
        return sum(len(path.read_text().splitlines()) for path in paths)

    assert lines(sorted((ROOT / "tests").rglob("*.py"))) >= lines(MODULES)


def test_what_never_loads_prefect_is_tested_without_it() -> None:
    """A test of the command line begins at once, where loading Prefect takes seconds."""
    found = {name_of(path): name_of(path).replace("test_", "") for path in (ROOT / "tests").rglob("test_*.py")}
    light = [name for name, of in found.items() if any(within(of.removeprefix("tests."), w) for w in NEVER_PREFECT)]
    names = sorted(set(light) - WITH_PREFECT)
    code = (
        f"import sys, importlib; [importlib.import_module(name) for name in {names}]; print('prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(light) >= WITH_PREFECT
    assert done.stdout.strip() == "False"
