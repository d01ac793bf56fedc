"""Bars: on the terminal, or as a picture."""

from collections.abc import Sequence
from pathlib import Path

from ccs.cli.errors import RequestError
from ccs.cli.terminal.output import has_unicode
from ccs.flows.node.files import expanded

Bar = tuple[str, float, str]
"""Name, length, and the words behind it."""

MOST = 400
"""Bars in a picture; a larger one opens nowhere."""

_INK, _PALE, _BAR = "#24292f", "#6e7781", "#d97757"
_WIDTH, _ROW, _MARGIN = 1000, 34, 28


def text(bars: Sequence[Bar]) -> str:
    """A line each, that fits the terminal."""
    from shutil import get_terminal_size

    full = "█" if has_unicode() else "#"
    room = get_terminal_size().columns
    names = [name if len(name) <= room // 2 else name[: room // 2 - 1] + "~" for name, _, _ in bars]
    left, right = max(map(len, names)), max(len(words) for _, _, words in bars)
    length, longest = max(4, room - left - right - 4), max(value for _, value, _ in bars) or 1
    return "\n".join(
        f"{name:<{left}}  {words:>{right}}  {full * _steps(value, longest, length)}".rstrip()
        for name, (_, value, words) in zip(names, bars, strict=True)
    )


def target(name: str | None, force: bool) -> Path:
    """The file to write, checked before the server is asked for anything."""
    path = expanded(name or "")
    if path.suffix.lower() != ".png":
        raise RequestError(f"--plot writes a picture in PNG, and {str(path)!r} does not end in .png", "or leave it out")
    if path.is_dir() or not path.parent.is_dir():
        why = "is a folder" if path.is_dir() else f"cannot be written: there is no folder {str(path.parent)!r}"
        raise RequestError(f"{str(path)!r} {why}", "name a file in a folder that exists")
    if path.exists() and not force:
        raise RequestError(f"{str(path)!r} exists", "write over it with --force, or name another file")
    try:
        import PIL  # noqa: F401  the extra `plot`
    except ImportError:
        raise RequestError(
            "a picture needs Pillow, which is not installed here", "pip install pillow, or leave out the file"
        ) from None
    return path


def write_png(path: Path, title: str, bars: Sequence[Bar]) -> None:
    """Draw the bars below a title; RequestError when the file cannot be written."""
    from PIL import Image, ImageDraw, ImageFont

    shown = bars[:MOST]
    font, heading = ImageFont.load_default(16), ImageFont.load_default(22)
    names = [_legible(name) for name, _, _ in shown]
    left = _MARGIN + min(360, round(max((font.getlength(name) for name in names), default=0))) + 12
    right = _WIDTH - _MARGIN - round(max((font.getlength(words) for _, _, words in shown), default=0)) - 10
    longest = max((value for _, value, _ in shown), default=0) or 1
    image = Image.new("RGB", (_WIDTH, 2 * _MARGIN + 44 + _ROW * max(1, len(shown))), "white")
    draw = ImageDraw.Draw(image)
    draw.text((_MARGIN, _MARGIN), title, _INK, heading)
    for number, (name, (_, value, words)) in enumerate(zip(names, shown, strict=True)):
        top = _MARGIN + 44 + number * _ROW
        while font.getlength(name) > left - _MARGIN - 12:
            name = name[:-2].rstrip("~") + "~"
        end = left + round(value / longest * (right - left))
        draw.text((left - 12, top + _ROW / 2), name, _INK, font, anchor="rm")
        draw.rectangle((left, top + 5, max(left + 1, end), top + _ROW - 6), _BAR)
        draw.text((end + 8, top + _ROW / 2), words, _PALE, font, anchor="lm")
    try:
        image.save(path, "PNG")
    except OSError as error:
        raise RequestError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error


def _steps(value: float, longest: float, length: int) -> int:
    return max(1, round(value / longest * length)) if value > 0 else 0


def _legible(name: str) -> str:
    """A name without what would break its line."""
    return "".join(c if c.isprintable() else " " for c in name)
