"""Damaged data: copies in which a few values are replaced, left out or added."""

import copy
import random
from typing import Any

ODD: list[Any] = [None, True, -1, 0, 10**30, 1.5, float("nan"), "", " ", "x", "/", "\0", "-a", "é" * 300]
ODD += [[], [None], ["x"], {}, {"a": {}}, "2025-12-01", "25:99", "* * * * *", "99 * * * *"]
ODD += ["weekly", "interval", "cron", "simple", "manual"]


def damaged(data: Any, dice: random.Random, odd: list[Any] = ODD) -> Any:
    """A copy with a few of its values replaced, left out or added."""
    broken = copy.deepcopy(data)
    for _ in range(dice.randint(1, 4)):
        here = broken
        while isinstance(here, dict | list) and here:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            key = dice.choice(keys)
            if not isinstance(here[key], dict | list) or not here[key] or dice.random() < 0.2:
                if dice.random() < 0.2:
                    del here[key]
                else:
                    here[key] = copy.deepcopy(dice.choice(odd))
                break
            here = here[key]
    return broken
