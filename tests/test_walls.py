"""The walls of the house: who may import whom, how large a file may grow, what a module says first."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("blocks", "cli", "deployments", "flows")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FILES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]
CORE = (
    *("ccs.cli.errors", "ccs.cli.exit_codes", "ccs.flows.spec", "ccs.flows.node", "ccs.flows.schedules"),
    *("ccs.flows.server.variables", "ccs.flows.server.names", "ccs.flows.server.clock"),
    *("ccs.flows.record.row", "ccs.blocks.env", "ccs.blocks.redact", "ccs.blocks.sensitivity", "ccs.blocks.steering"),
)
DIAGNOSIS = (*CORE, "ccs.cli.client", "ccs.cli.words", "ccs.cli.diagnosis")
MAY_IMPORT = {  # of ccs; the longest matching prefix of the importing module counts
    "cli": (*CORE, "ccs.cli"),
    "cli.errors": ("ccs.cli.exit_codes",),
    "cli.exit_codes": (),
    "cli.words": ("ccs.flows.schedules",),
    "cli.client": (*CORE, "ccs.cli.client"),
    "cli.diagnosis": DIAGNOSIS,
    "cli.diagnosis.budgets": (*DIAGNOSIS, "ccs.flows.budgets.ledger", "ccs.flows.budgets.sums"),
    "cli.diagnosis.machine": (  # it looks where a node looks
        *DIAGNOSIS,
        "ccs.flows.claude.executable",
        "ccs.flows.git.command",
    ),
    "cli.legacy": (*CORE, "ccs.cli.client", "ccs.cli.legacy"),
    "cli.local": (*CORE, "ccs.cli.client", "ccs.cli.local", "ccs.cli.terminal.output"),
    "cli.terminal": (*DIAGNOSIS, "ccs.cli.terminal"),
    "cli.commands.worktrees": (
        "ccs.cli",
        "ccs.flows.spec",
        "ccs.flows.node",
        "ccs.flows.git",
    ),
    "deployments": ("ccs.deployments", "ccs.flows", "ccs.blocks"),
    "blocks": ("ccs.blocks",),
    "flows": ("ccs.flows", "ccs.blocks"),
    "flows.spec": ("ccs.flows.spec",),
    "flows.node": ("ccs.flows.node",),
    "flows.schedules": ("ccs.flows.schedules",),
    "flows.budgets": (
        "ccs.flows.budgets",
        "ccs.flows.log",
        "ccs.flows.processes",
        "ccs.flows.server",
        "ccs.flows.spec",
    ),
    "flows.record.row": (),
    "flows.budgets.sums": ("ccs.flows.server.names",),
    "flows.sessions": (
        "ccs.flows.sessions",
        "ccs.flows.claude",
        "ccs.flows.node",
        "ccs.flows.processes",
        "ccs.flows.server",
        "ccs.flows.spec",
    ),
    "flows.server": ("ccs.flows.server", "ccs.flows.spec.names", "ccs.blocks"),
    "flows.git": ("ccs.flows.git", "ccs.flows.node", "ccs.flows.processes.environment", "ccs.flows.spec.names"),
    "flows.workplace.settlement": (  # it decides from facts alone
        "ccs.flows.git.command",
        "ccs.flows.git.commit",
        "ccs.flows.record.outcome",
        "ccs.flows.spec",
    ),
    "flows.claude": (
        "ccs.flows.claude",
        "ccs.flows.node",
        "ccs.flows.processes",
        "ccs.flows.spec",
        "ccs.blocks.steering",
    ),
    "flows.processes": ("ccs.flows.processes", "ccs.flows.node", "ccs.blocks"),
}
PUBLISHED = (
    *("prefect.states", "prefect.artifacts"),
    *("prefect.client.schemas.actions.ArtifactCreate", "prefect.client.schemas.actions.ArtifactUpdate"),
)
SILENT = ("cli.client", "cli.diagnosis", "cli.legacy")
"""What a web page or another program stands on as well as the terminal: it returns values and writes nothing."""

NEVER_PREFECT = (
    *("cli", "blocks.env", "blocks.redact", "blocks.sensitivity", "blocks.spellings", "blocks.steering"),
    *("flows.spec", "flows.node", "flows.schedules"),
    *("flows.server.variables", "flows.server.names", "flows.server.clock"),
    *("flows.record.row", "flows.budgets.sums", "flows.budgets.offer", "flows.budgets.ledger", "flows.budgets.pause"),
    *("flows.git", "flows.claude", "flows.processes"),
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    module = name_of(path)
    rule = max((key for key in MAY_IMPORT if within(module, key)), key=len)
    for name in imports_of(path):
        top = name.partition(".")[0]
        assert top not in PACKAGES, f"import {name} as ccs.{name}"
        if top == "ccs" and name not in ("ccs", "ccs.cli", "ccs.flows", "ccs.blocks"):
            assert any(within(name, allowed) for allowed in MAY_IMPORT[rule]), f"{module} imports {name}"


def room_of(module: str) -> str:
    """The folder of a module below the top one, such as ccs.cli.client; a module that lies in no such is its own."""
    return ".".join(module.split(".")[:3])


def test_neither_modules_nor_rooms_import_themselves_through_others() -> None:
    paths = {f"ccs.{name_of(p)}": p for p in MODULES if p.stem != "__init__"}
    modules = {name: imports_of(p) & paths.keys() for name, p in paths.items()}
    rooms: dict[str, set[str]] = {}
    for name, others in modules.items():
        rooms.setdefault(room_of(name), set()).update(set(map(room_of, others)) - {room_of(name)})
    for graph in (modules, rooms):
        TopologicalSorter(graph).prepare()  # or CycleError


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, count in names.items() if count > 1]


@pytest.mark.parametrize("path", [p for p in MODULES if any(within(name_of(p), w) for w in NEVER_PREFECT)], ids=name_of)
def test_what_must_start_fast_does_not_name_prefect(path: Path) -> None:
    assert not any(within(name, "prefect") for name in imports_of(path))


@pytest.mark.parametrize("path", [p for p in MODULES if any(within(name_of(p), w) for w in SILENT)], ids=name_of)
def test_what_stands_below_the_terminal_neither_prints_nor_takes_options(path: Path) -> None:
    assert not any(within(name, top) for name in imports_of(path) for top in ("typer", "click", "getpass"))
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not {"print", "input"} & {function.id for function in calls if isinstance(function, ast.Name)}
    assert "sys.stdin" not in path.read_text() and "sys.stdout" not in path.read_text()


def test_every_git_is_started_in_one_place() -> None:
    for path in MODULES:
        module, tree = name_of(path), ast.parse(path.read_text())
        if module == "flows.git.command":
            continue
        assert not within(module, "flows.git") or not any(within(n, "subprocess") for n in imports_of(path)), module
        lists = [node.elts for node in ast.walk(tree) if isinstance(node, ast.List | ast.Tuple) and node.elts]
        assert not any(isinstance(elts[0], ast.Constant) and elts[0].value == "git" for elts in lists), module


def test_what_leaves_a_run_is_made_in_one_place_each() -> None:
    """Clean texts by the redactor, states and artifacts by what takes only such texts; mypy does the rest."""
    for path in MODULES:
        module, names = name_of(path), imports_of(path)
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert module == "blocks.redact" or "Clean" not in {f.id for f in calls if isinstance(f, ast.Name)}, module
        if within(module, "flows") and module != "flows.server.publication":
            assert not any(within(name, made) for name in names for made in PUBLISHED), module


def test_the_command_line_never_loads_prefect() -> None:
    modules = [f"ccs.{name_of(p)}".removesuffix(".__init__") for p in MODULES if name_of(p).startswith("cli.")]
    code = f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]; print('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_can_be_read_in_a_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= (400 if path in MODULES else 500)


@pytest.mark.parametrize("path", [p for p in FILES if p.read_text().strip()], ids=name_of)
def test_a_module_says_first_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_module_is_a_drawer_for_everything(path: Path) -> None:
    assert not set(path.stem.split("_")) & {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base"}
