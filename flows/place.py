"""The directory of a run: checked before anything starts; what tasks change there is committed, or set aside.

Tasks that run at the same time in one directory cannot be told apart by git. They form a group, whose changes are
committed together when the last of them has ended.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from logging import Logger, LoggerAdapter
from pathlib import Path
from types import TracebackType
from typing import Self

from ccs.flows.claude.verdict import Reason
from ccs.flows.git import aside, commit, journal, snapshot, worktree
from ccs.flows.git.command import GitError
from ccs.flows.git.repository import Repository
from ccs.flows.outcome import Outcome
from ccs.flows.spec import Job, Task, slug
from ccs.flows.workplace import WorkplaceError, node_name, state_folder
