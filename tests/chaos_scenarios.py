"""The scenarios of chaos: each does something bad to a run, and says how the run must end all the same."""

from chaos_world import World, run_process
from node_world import kill

QUICK = {"max_attempts": 3, "delay_seconds": 0.1, "jitter": 0}
DONE = {"text": "done"}


def claude(world: World) -> None:
    """kill -9 of claude while a tool runs; the next attempt goes on where it left off"""
    one = world.task("one", world.works("a"), world.stays("b"), world.works("c"), DONE, retry=QUICK)
    world.job("job", one, world.task("two", world.works("d"), DONE))
    with world.on("n"):
        run = world.run("job")
        world.has_done("b")
        world.is_quiet(run)
        kill(world.claude(run))
        said = world.ended(run, one="ok", two="ok")
    if [row["attempts"] for row in said["tasks"]] != [2, 1]:
        world.blame("work", f"attempts: {[row['attempts'] for row in said['tasks']]} instead of [2, 1]")


def flow(world: World) -> None:
    """kill -9 of the flow's process while a tool runs; the restart repeats nothing that was done"""
    one = world.task("one", world.works("a"), DONE)
    two = world.task("two", world.works("b"), world.stays("c"), world.works("d"), DONE)
    world.job("job", one, two)
    with world.on("n"):
        run = world.run("job")
        world.has_done("c")
        world.is_quiet(run)
        kill(run_process(world.claude(run)))
        world.ended(run, "CRASHED", one="ok")
        world.ended(world.restarted(run), one="ok", two="ok")


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


ALL = {scenario.__name__: scenario for scenario in (claude, flow, node)}
