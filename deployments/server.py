"""The embedded Prefect server: `prefect server start`, kept from stalling on SQLite and from refusing writes.

Run as `python -m ccs.deployments.server` with the arguments of `prefect server start`.

Failed statements leave cursors in reference cycles. When Python collects such a cursor on the server's event loop while
its connection waits for the database in another thread, the loop waits for that connection; and the one that holds
the database cannot commit, because that takes the loop. All stand still until SQLite gives up after 60 seconds. So
nothing is collected on the loop here, but in a thread of its own.

A transaction that reads before it writes is refused at once ("database is locked", answered with 503) when another has
written in between, however long SQLite may wait. So every transaction takes its turn at its beginning.
"""

import gc
import runpy
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

_EVERY = 1.0  # seconds between collections of what is young
_ALL_EVERY = 60  # of these, between collections of everything


def collect_for_ever() -> None:
    """Collect garbage on this thread; it may wait where the event loop must not."""
    while True:
        for _ in range(_ALL_EVERY):
            time.sleep(_EVERY)
            gc.collect(1)
        gc.collect()


@asynccontextmanager
async def begin_transaction(
    self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
) -> AsyncGenerator[AsyncSessionTransaction, None]:
    """A transaction that holds the database's lock for writers from its beginning, whatever was asked for.

    The mode is back before the caller goes on: sessions inside that only read must not wait for the one around them.
    """
    async with session.begin() as transaction:
        mode = SQLITE_BEGIN_MODE.set("IMMEDIATE")
        try:
            await session.connection()
        finally:
            SQLITE_BEGIN_MODE.reset(mode)
        yield transaction


def main() -> None:
    """Run the server until it is told to stop."""
    gc.disable()
    threading.Thread(target=collect_for_ever, name="garbage", daemon=True).start()
    AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign]
    sys.argv[:] = ["prefect", "server", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
