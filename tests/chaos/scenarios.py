"""The scenarios of chaos: each does something bad to a run, and says how the run must end all the same."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.world import Skipped, World, price, run_process
from tests.fakes.scenario import usage_limit
from tests.worlds import git as git_world
from tests.worlds.processes import kill

QUICK = {"max_attempts": 3, "delay_seconds": 0.1, "jitter": 0}
DONE = {"text": "done"}


def claude(world: World) -> None:
    """kill -9 of claude while a tool runs, and while it prints; the next attempt goes on where it left off"""
    one = world.task("one", world.works("a"), world.stays("b"), world.works("c"), DONE, retry=QUICK)
    loud = {"text_bytes": 5_000_000, **world.works("loud", f"sleep {world.mark}", sure=False)}
    two = world.task("two", loud, world.works("d"), DONE, retry=QUICK)
    world.job("job", one, two, world.task("three", world.works("e"), DONE))
    with world.on("n"):
        run = world.run("job")
        world.has_done("b")
        world.is_quiet(run)
        kill(world.claude(run))
        world.has_printed(run, 100_000)
        kill(world.claude(run))
        said = world.ended(run, one="ok", two="ok", three="ok")
    if (attempts := [row["attempts"] for row in said["tasks"]]) != [2, 2, 1]:
        world.blame("work", f"attempts: {attempts} instead of [2, 2, 1]")


def flow(world: World) -> None:
    """kill -9 of the flow's process while tools run; the restart repeats nothing but what was set aside"""
    first = world.task("first", world.works("a"), DONE)
    tasks = [
        world.task(name, world.works(f"{name}-1"), world.stays(f"{name}-2"), DONE, depends_on=["first"])
        for name in ("b", "c", "d")
    ]
    beside = {"depends_on": ["first"]}
    lost = world.task("lost", world.works("e"), DONE, world.works("f"), DONE, **beside)  # it ends, uncommitted
    world.job("job", first, lost, *tasks, max_parallel=4)
    with world.on("n"):
        run = world.run("job")
        for name in ("b", "c", "d"):
            world.has_done(f"{name}-2")
        world.has_ended(run, "lost")
        world.is_quiet(run)
        kill(run_process(world.claudes(run)[0]))
        world.ended(run, "CRASHED", first="ok")
        world.ended(world.restarted(run), first="ok", lost="ok", b="ok", c="ok", d="ok")


def node(world: World) -> None:
    """kill -9 of the node's process alone; its runs go on to their end, and another takes its place"""
    gate = world.folder / "gate"
    waits = f"while ! test -e {gate}; do sleep 0.1; done"
    one = world.task("one", world.works("a"), world.works("b", waits), DONE)
    world.job("job", one, world.task("two", world.works("c"), DONE))
    world.job("next", world.task("three", world.works("d"), DONE))
    with world.on("n") as first:
        run = world.run("job")
        world.has_done("b")
        first.process.kill()
        first.process.wait()
        with world.on("n"):
            gate.touch()
            world.ended(run, one="ok", two="ok")
            world.ended(world.run("next"), three="ok")


def machine(world: World) -> None:
    """kill -9 of all that a machine runs, until the server gives its run up; later it comes back"""
    world.gives_up_after(40)
    one = world.task("one", world.works("a"), DONE)
    two = world.task("two", world.works("b"), world.stays("c", hidden=False), world.works("d"), DONE)
    world.job("job", one, two)
    with world.on("n") as first:
        run = world.run("job")
        world.has_done("c")
        world.is_quiet(run)
        first.dies()
    world.ended(run, "CRASHED", one="ok")
    with world.on("n"):
        world.ended(world.restarted(run), one="ok", two="ok")


def blackout(world: World) -> None:
    """kill -9 of a machine with its node and its server, both back later; in a worktree"""
    world.gives_up_after(40)
    one = world.task("one", world.works("a"), DONE)
    two = world.task("two", world.works("b"), world.stays("c", hidden=False), world.works("d"), DONE)
    directory = {"path": str(world.repository), "worktree": {"enabled": True}}
    world.job("job", one, two, working_directory=directory)
    with world.on("n") as first:
        run = world.run("job")
        world.has_done("c")
        world.is_quiet(run)
        world.server.crash()
        first.dies()
    world.server.start()
    with world.on("n"):
        world.ended(run, "CRASHED", one="ok")
        world.ended(world.restarted(run), one="ok", two="ok")
    world.repositories.add(world.repository / "trees" / "job")


def server(world: World) -> None:
    """the server goes away for 60 s in the middle of runs; one works on meanwhile, one stays in a tool"""
    gate, away = world.folder / "gate", world.folder / "away"
    held = f"while ! test -e {gate}; do sleep 0.1; done"
    hasty = f"while ! test -e {away}; do sleep 0.1; done"
    one = world.task("one", world.works("a", held), world.works("b"), DONE)
    world.job("patient", one, world.task("two", world.works("c"), DONE))
    three = world.task("three", world.works("d", hasty), world.works("e"), DONE)
    directory = {"path": str(git_world.a_repository(world.folder / "another"))}
    world.job("hasty", three, world.task("four", world.works("f"), DONE), working_directory=directory)
    with world.on("n"):
        patient, hurried = world.run("patient"), world.run("hasty")
        world.has_done("a")
        world.has_done("d")
        world.server.stop()
        away.touch()
        time.sleep(60)
        world.server.start()
        gate.touch()
        world.ended(patient, one="ok", two="ok")
        world.ended(hurried, three="ok", four="ok")


def power(world: World) -> None:
    """kill -9 of the server, three times in the middle of a run, back at once"""
    steps = [world.works(name, f"while ! test -e {world.folder}/{name}; do sleep 0.1; done") for name in "abc"]
    world.job("job", world.task("one", *steps, DONE), world.task("two", world.works("d"), DONE))
    with world.on("n"):
        run = world.run("job")
        for name in "abc":
            world.has_done(name)
            world.server.crash()
            (world.folder / name).touch()
            world.server.start()
        world.ended(run, one="ok", two="ok")


def disk(world: World) -> None:
    """the disk of the transcripts becomes full in the middle of a task, and is full before a run begins"""
    folder = world.folder / "ccs-n" / "runs"
    folder.mkdir(parents=True)
    with tmpfs(folder, "256k"), world.on("n"):
        big = {"text_bytes": 1_000_000, **world.works("b")}
        one = world.task("one", world.works("a"), big, world.works("c"), DONE)
        world.job("job", one, world.task("two", world.works("d"), DONE))
        run = world.run("job")
        world.ended(run, one="ok", two="ok")
        world.says_what_is_lost(run)
        fill(folder)
        world.job("none", world.task("three", world.works("e", sure=False), DONE))
        said = world.ended(world.run("none"), "FAILED", three="spawn")
        if "No space left" not in str(said["reason"]):
            world.blame("verdicts", f"it does not say why it did not start: {said['reason']}")


def line(world: World) -> None:
    """one line of 10 MB"""
    world.job("job", world.task("one", world.works("a"), {"text_bytes": 10_000_000}))
    with world.on("n"):
        world.ended(world.run("job"), one="ok")


def events(world: World) -> None:
    """10,000 events: 5,000 tool calls, each with its answer"""
    small = world.folder / "small"
    small.write_text("little\n")
    read = {"name": "Read", "input": {"file_path": str(small)}}
    calls = {"tools": [read] * 100, "times": 50}
    world.job("job", world.task("one", world.works("a"), calls, world.works("b"), DONE))
    with world.on("n"):
        run = world.run("job")
        world.ended(run, one="ok")
    if (count := world.lines(run)) < 10_000:
        world.blame("bytes", f"only {count} events")


def limit(world: World) -> None:
    """a usage limit with its reset 90 s ahead; others work meanwhile, the node dies, and the same session goes on"""
    world.profile("subscription", CLAUDE_CODE_OAUTH_TOKEN="env:TOKEN_ON_THE_NODE")
    reset = int(time.time()) + 90
    one = world.task("one", world.works("a"), usage_limit(reset), world.works("b"), DONE, profile="subscription")
    world.job("job", one, world.task("two", world.works("c"), DONE))
    elsewhere = {"path": str(git_world.a_repository(world.folder / "another"))}
    world.job("beside", world.task("three", world.works("d"), DONE), working_directory=elsewhere)
    with world.on("n", "--limit", "1") as first:
        run = world.run("job")
        world.waits(run)
        world.ended(world.run("beside"), three="ok")
        first.dies()
    if world.state(run)["name"] != "AwaitingRetry":
        world.blame("verdicts", "the run did not wait while another one worked and the node died")
    with world.on("n", "--limit", "1"):
        world.ended(run, one="ok", two="ok")
    world.went_on_after(reset, "one")
    if len({r["headers"].get("X-Claude-Code-Session-Id") for r in world.asked("one")}) != 1:
        world.blame("work", "the task did not go on in its session")


def nodes(world: World) -> None:
    """two nodes, one profile, one limit: who comes later waits without asking, and one probes at the reset"""
    world.profile("subscription", CLAUDE_CODE_OAUTH_TOKEN="env:TOKEN_ON_THE_NODE")
    reset, gate = int(time.time()) + 90, world.folder / "gate"
    slow = {"delay": 8}
    own = {"profile": "subscription"}
    world.job("first", world.task("one", usage_limit(reset), {**slow, **world.works("a")}, DONE, **own))
    others = {name: git_world.a_repository(world.folder / name) for name in ("second", "third", "busy")}
    for name, trace in (("second", "b"), ("third", "c")):
        task = world.task(name, {**slow, **world.works(trace)}, DONE, **own)
        world.job(name, task, working_directory={"path": str(others[name])})
    held = world.works("d", f"while ! test -e {gate}; do sleep 0.1; done")
    world.job("busy", world.task("busy", held, DONE), working_directory={"path": str(others["busy"])})
    with world.on("here", "--limit", "1"):
        first = world.run("first")
        world.waits(first)
        busy = world.run("busy")
        world.has_done("d")  # so that the others are for the other node
        with world.on("there"):
            later = [world.run(name) for name in ("second", "third")]
            for run in later:
                world.waits(run)
            gate.touch()
            world.ended(busy, busy="ok")
            for run, task_name in zip((first, *later), ("one", "second", "third"), strict=True):
                world.ended(run, **{task_name: "ok"})
    world.went_on_after(reset, "one", "second", "third", probe_takes=slow["delay"])


def parallel(world: World) -> None:
    """30 tasks in parallel in one job"""
    names = [f"t{number}" for number in range(30)]
    world.patience = 900
    tasks = [world.task(name, world.works(name), DONE, first_output_timeout=900) for name in names]
    world.job("job", *tasks, max_parallel=30)
    with world.on("n"):
        world.ended(world.run("job"), **dict.fromkeys(names, "ok"))


def budget(world: World) -> None:
    """30 tasks in parallel that want twice what the run may cost"""
    names = [f"t{number}" for number in range(30)]
    world.patience = 900
    usage = {"usage": {"input_tokens": 0, "output_tokens": 300}}
    tasks = []
    for name in names:
        steps = [{**world.works(f"{name}-{step}", sure=False), **usage} for step in range(6)]
        tasks.append(world.task(name, *steps, {**DONE, **usage}, first_output_timeout=900, attempt_budget_usd=None))
    world.job("job", *tasks, max_parallel=30, on_failure="continue", budget=0.3, tolerance=price(usage))
    with world.on("n"):
        said = world.ended(world.run("job"), "FAILED")
    for row in said["tasks"]:
        whole = all(f"{row['task']}-{step}" in world.traces() for step in range(6))
        if row["verdict"] not in ("ok", "budget") or (row["verdict"] == "ok") != whole:
            world.blame("verdicts", f"{row['task']}: {row['verdict']} ({row['detail']}), whole: {whole}")


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A disk of that size mounted there."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "ccs-chaos", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"a small disk is needed, and only root may mount one: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free there."""
    with (folder / "full").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(512)):
            pass


SCENARIOS = (claude, flow, node, machine, blackout, server, power, disk, line, events, limit, nodes, parallel, budget)
ALL = {scenario.__name__: scenario for scenario in SCENARIOS}
