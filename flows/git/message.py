"""The message of a task's commit: a short subject, and trailers that say where it comes from."""

from dataclasses import dataclass

_RESULT = 50
_NAME = 40
"""Characters that the subject has room for."""


@dataclass(frozen=True)
class Origin:
    """Whose work a commit is."""

    job: str
    task: str
    run: str
    session: str = ""
    result: str = ""
    """What claude answered; its first line ends the subject."""

    @property
    def text(self) -> str:
        """The whole message."""
        first = next((line for text in self.result.splitlines() if (line := _plain(text).lstrip("#*- "))), "")
        names = f"{_cut(_plain(self.job), _NAME)}/{_cut(_plain(self.task), _NAME)}"
        subject = f"{names}: {_cut(first, _RESULT)}" if first else names
        trailers = {"Ccs-Job": self.job, "Ccs-Task": self.task, "Ccs-Run": self.run, "Claude-Session": self.session}
        lines = [f"{name}: {_plain(value)}" for name, value in trailers.items() if _plain(value)]
        return "\n".join([subject, "", *lines, ""])


def _plain(text: str) -> str:
    """The text on one line, without anything that is not seen."""
    visible = text.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in visible).split())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
