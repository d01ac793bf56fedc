"""The predecessor's command lines, line by line: what becomes of each, and that it works on a real server."""

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from ccs.cli import claude_code_scheduler
from ccs.cli.claude_code_scheduler import Refusal, translate
from tests.fakes import legacy_data
from tests.worlds.cli import Cli, Said

ALIAS = str(Path(sys.executable).with_name("claude-code-scheduler"))
BEDROCK = "9e4eaa7d-ba4e-44c0-861a-712aa75382d1"

ANYWHERE = "--no-require-git --allow-dirty"
HOMELESS = "--job 'tasks on their own'"

LINES = {  # of its documentation, and the command line of ccs
    "cli jobs list": "jobs list --limit 10000",
    "cli jobs list --output table": "jobs list --output table --limit 10000",
    "cli jobs list --table": "jobs list --output table --limit 10000",
    "cli jobs list -t": "jobs list --output table --limit 10000",
    "cli jobs get ID": "jobs get ID",
    "cli jobs create --name 'Daily Maintenance' -C /srv": f"jobs create --name 'Daily Maintenance' -C /srv {ANYWHERE}",
    "cli jobs create --name a -C ~/b --use-worktree --worktree-name c --worktree-branch main": (
        f"jobs create --name a -C ~/b --use-worktree --worktree-name c --worktree-branch main {ANYWHERE}"
    ),
    "cli jobs create --name Feature": f"jobs create --name Feature --working-directory ~/projects {ANYWHERE}",
    "cli jobs create --name F -C /srv --require-git": "jobs create --name F -C /srv --require-git --allow-dirty",
    "cli jobs update ID --description Updated": "jobs update ID --description Updated",
    "cli jobs delete ID": "jobs delete ID",
    "cli jobs delete ID --force": "jobs delete ID --force",
    "cli jobs run ID": "jobs run ID",
    "cli jobs stop ID": "jobs stop ID",
    "cli jobs tasks ID": "jobs tasks ID",
    "cli jobs tasks ID -t": "jobs tasks ID --output table",
    "cli jobs set-order ID A B": "jobs set-order ID A B",
    "cli jobs export ID -o my-job.json": "jobs export ID -o my-job.json",
    "cli jobs export ID --out ~/exports/my-job.json": "jobs export ID --out ~/exports/my-job.json",
    "cli jobs import my-job.json": "jobs import my-job.json",
    "cli jobs import --input my-job.json --force": "jobs import my-job.json --force",
    "cli jobs import -i ./job.json -v": "jobs import ./job.json -v",
    "cli jobs import --input=job.json": "jobs import job.json",
    "cli tasks list": "tasks list --limit 10000",
    "cli tasks list --output table": "tasks list --output table --limit 10000",
    "cli -v tasks list": "tasks list -v --limit 10000",
    "-vv cli tasks list": "tasks list -vv --limit 10000",
    "cli tasks get ID": "tasks get ID",
    "cli tasks create --name Test --command 'echo hi'": f"tasks create --name Test --prompt 'echo hi' {HOMELESS}",
    "cli tasks create --name T --prompt '/review src' --job J": "tasks create --name T --command '/review src' --job J",
    "cli tasks update ID --job none": f"tasks update ID {HOMELESS}",
    "cli tasks create --name T --prompt 'do it' --zai --job J": "tasks create --name T --prompt 'do it' --zai --job J",
    "cli tasks create --name T --prompt p --bedrock --job J": "tasks create --name T --prompt p --bedrock --job J",
    f"cli tasks create --profile {legacy_data.ZAI} --name T --prompt p --job J": (
        "tasks create --profile zai --name T --prompt p --job J"
    ),
    f"cli tasks update ID --profile={BEDROCK}": "tasks update ID --profile bedrock",
    "cli tasks create --name --table --prompt -t --job J": "tasks create --name --table --prompt -t --job J",
    "cli tasks update ID --prompt 'Review code'": "tasks update ID --prompt 'Review code'",
    "cli tasks update ID --name Updated": "tasks update ID --name Updated",
    "cli tasks delete ID": "tasks delete ID --force",
    "cli tasks run ID": "tasks run ID",
    "cli tasks enable ID": "tasks enable ID",
    "cli tasks disable ID": "tasks disable ID",
    "cli runs list": "runs list",
    "cli runs list --output table": "runs list --output table",
    "cli runs list -n 25": "runs list --limit 25",
    "cli runs list -n25": "runs list --limit 25",
    "cli runs get ID": "runs get ID",
    "cli runs stop ID": "runs stop ID",
    "cli runs restart ID": "runs restart ID",
    "cli runs delete ID -f": "runs delete ID -f",
    "cli runs -v list": "runs list -v",
    "cli profiles list": "profiles list",
    "cli profiles get ID": "profiles get ID",
    "cli profiles get ID --output env": "profiles get ID --output table",
    "cli profiles create --name 'AWS Bedrock' --description d": "profiles create aws-bedrock --description d",
    "cli profiles update ID --env A=b --unset-env C": "profiles update ID --env A=b --remove C",
    "cli profiles update ID --name 'AWS Bedrock'": "profiles update ID --name aws-bedrock",
    "cli jobs update ID --name Updated": "jobs update ID --name Updated",
    "cli tasks update ID --job J": "tasks update ID --job J",
    "cli tasks update ID --gate --table --retry 2": "tasks update ID --gate --table --retry 2",
    "cli profiles delete ID --force": "profiles delete ID --force",
    "cli nodes list": "nodes list",
    "cli state": "state",
    "cli health": "health",
    "cli scheduler": "scheduler",
    "cli stats": "stats",
    "cli --api-url http://127.0.0.1:5679 tasks list": "tasks list --limit 10000",
    "cli state --api-url http://192.168.1.100:5679": "state",
    "cli --api-url=http://127.0.0.1:5680 tasks list": "tasks list --limit 10000",
    "cli tasks list --api-url http://localhost:8080": "tasks list --api-url http://localhost:8080/api --limit 10000",
    "cli tasks list --api-url https://x.example/p/api": "tasks list --api-url https://x.example/p/api --limit 10000",
    "tasks list": "tasks list --limit 10000",
    "cli tasks --help": "tasks --help",
    "cli --help": "--help",
    "cli": "--help",
    "--version": "--version",
    **{
        f"debug {verb}": f"debug {verb}" for verb in ("all", "tasks", "runs", "logs", "profiles", "settings", "options")
    },
    "debug runs -n 20": "debug runs -n 20",
    "debug task ID": "debug task ID",
    "debug run ID": "debug run ID",
    "debug log ID": "debug log ID",
    "debug env PROFILE": "debug env PROFILE",
    "completion bash": "completion bash",
    "completion zsh": "completion zsh",
    "completion fish": "completion fish",
}
REFUSED = {
    "gui": "ccs up -d",
    "gui -vvv": "ccs up -d",
    "server --port 8080 --workers 5": "ccs up -d",
    "daemon --api-port 8787": "ccs up -d",
    "node --queue-url https://sqs.example/q --topic-arn arn --log-bucket b": "ccs up -d",
    "cli jobs update ID --status completed": "ccs runs list",
}


@pytest.mark.parametrize("line", LINES)
def test_a_documented_line_becomes_one_of_ccs(line: str) -> None:
    assert translate(shlex.split(line)).argv == shlex.split(LINES[line])


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_without_a_counterpart_is_refused_with_what_to_do_instead(line: str) -> None:
    with pytest.raises(Refusal) as refused:
        translate(shlex.split(line))
    assert REFUSED[line] in refused.value.hint


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cli --api-url http://127.0.0.1:5679 tasks list", "is ignored"),
        ("cli tasks list --api-url http://localhost:4200", "http://localhost:4200/api"),
        ("cli jobs create --name a", "~/projects"),
        (f"cli tasks update ID --profile {legacy_data.ZAI}", "'zai'"),
        ("cli profiles create --name 'My Profile'", "'my-profile'"),
        ("cli profiles get ID --output env", "--output table"),
    ],
)
def test_what_means_something_else_now_is_said_in_one_line(line: str, says: str) -> None:
    (note,) = translate(shlex.split(line)).notes
    assert says in note


def alias(ccs: Cli, line: str) -> Said:
    done = subprocess.run(
        [ALIAS, *shlex.split(line)],
        env={**os.environ, **ccs.env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def test_the_documented_workflow_works_on_a_server(ccs: Cli, tmp_path: Path) -> None:
    name = f"feature-{uuid4().hex[:8]}"
    ccs("profiles", "create", "--template", "zai", stdin="a-token-of-zai\n")
    made = alias(ccs, f"cli --api-url http://127.0.0.1:5679 jobs create --name {name} --working-directory {tmp_path}")
    assert made.code == 0, made
    assert "is ignored" in made.err
    job = made.json["id"]
    for task in ("implement", "test"):
        assert alias(ccs, f"cli tasks create --name {task} --prompt 'do it' --zai --job {job}").code == 0
    ids = [t["id"] for t in alias(ccs, f"cli jobs tasks {job}").json]
    assert alias(ccs, f"cli jobs set-order {job} {ids[1]} {ids[0]}").code == 0
    assert [t["name"] for t in alias(ccs, f"cli jobs tasks {job}").json] == ["test", "implement"]
    assert alias(ccs, f"cli tasks disable {ids[0]}").json["enabled"] is False
    assert alias(ccs, f"cli jobs export {job} -o {tmp_path}/x.json").code == 0
    assert "--force" in alias(ccs, f"cli jobs import -i {tmp_path}/x.json").err
    run = alias(ccs, f"cli tasks run {ids[1]}").json
    assert run["only"] == ["test"]
    assert alias(ccs, f"cli runs restart {run['id']}").json["only"] == ["test"]
    assert alias(ccs, f"cli runs delete {run['id']}").code == 1
    assert alias(ccs, f"cli runs delete {run['id']} -f").code == 0
    assert ccs("runs", "get", run["id"]).code == 1
    assert alias(ccs, f"cli tasks delete {ids[0]}").code == 0
    assert alias(ccs, f"cli jobs delete {job} --force").code == 0


def test_a_task_without_a_job_gets_one_that_is_made_when_it_is_needed(ccs: Cli) -> None:
    ccs("jobs", "delete", "tasks on their own", "--force")
    first, second = f"first-{uuid4().hex[:8]}", f"second-{uuid4().hex[:8]}"
    for name in (first, second):
        made = alias(ccs, f"cli tasks create --name {name} --command 'echo hi'")
        assert (made.json["job"], made.json["prompt"]) == ("tasks on their own", "echo hi"), made
        assert "'tasks on their own'" in made.err
    job = ccs.ok("jobs", "create", "--name", f"job-{first}", "-C", "/srv").json["id"]
    assert alias(ccs, f"cli tasks update {first} --job {job}").json["job"] == f"job-{first}"
    assert alias(ccs, f"cli tasks update {first} --job none").json["job"] == "tasks on their own"
    place = ccs.ok("jobs", "get", "tasks on their own").json["working_directory"]
    assert (place["require_git"], place["allow_dirty"]) == (False, True)


def test_a_worktree_that_is_asked_for_is_in_the_job(ccs: Cli) -> None:
    name = f"feature-{uuid4().hex[:8]}"
    options = f"--working-directory ~/a --use-worktree --worktree-name {name} --worktree-branch dev"
    made = alias(ccs, f"cli jobs create --name {name} {options}").json
    assert made["working_directory"]["worktree"] == {"enabled": True, "name": name, "base_branch": "dev"}


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("gui", 1, "ccs up -d"),
        ("", 0, "ccs import-legacy"),
        ("-v", 0, "ccs import-legacy"),
        ("--help", 0, "ccs import-legacy"),
        ("--version", 0, "ccs "),
        ("nonsense", 1, "there is no command 'nonsense'"),
        ("cli jobs get", 1, "Missing argument"),
        ("cli jobs import -i", 1, "needs a value"),
    ],
)
def test_every_line_ends_with_an_exit_code_and_a_sentence(ccs: Cli, line: str, code: int, says: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert claude_code_scheduler.main(shlex.split(line)) == code
    assert says in out.getvalue() + err.getvalue()


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not here")
def test_the_documented_pipelines_work_on_a_server(ccs: Cli, tmp_path: Path) -> None:
    """Batch operations over what the lists print, as its documentation has them, `jq` and `xargs` included."""
    own = Cli({**ccs.env, "PATH": f"{Path(ALIAS).parent}:{os.environ['PATH']}"})
    job = own.ok("jobs", "create", "--name", f"batch-{uuid4().hex[:8]}", "-C", str(tmp_path)).json["id"]
    for name in ("a", "b"):
        own.ok("tasks", "create", "--job", job, "--name", name, "--prompt", "p")
    script = f"""
    set -e -o pipefail
    c() {{ claude-code-scheduler cli "$@" 2> /dev/null; }}
    c jobs tasks {job} | jq -r '.[].id' | xargs -I {{}} claude-code-scheduler cli tasks disable {{}} > /dev/null
    c jobs tasks {job} | jq -c '[.[] | .enabled]'
    for id in $(c jobs tasks {job} --output json | jq -r '.[].id'); do c tasks run $id > /dev/null; done
    c runs list --job {job} -n 2 | jq -c '[.runs[] | .only[]] | sort'
    c health | jq -r '.status'
    c jobs list | jq -r '.jobs[].id' | grep {job} | xargs -I {{}} claude-code-scheduler cli jobs stop {{}} > /dev/null
    c jobs list | jq -r '.jobs[].id' | grep {job} | xargs -I {{}} claude-code-scheduler cli jobs delete {{}} --force
    """
    env = {**os.environ, **own.env}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == ["[false,false]", '["a","b"]', "ok"], done
    assert done.returncode == 0, done
    assert ccs("jobs", "get", job).code == 1
