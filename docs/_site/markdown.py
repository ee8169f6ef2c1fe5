"""Markdown out of docstrings and plain values."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|References|Example|Note):$")
ITEM = re.compile(r"^(\*{0,2}\w[\w.]*)(?: \([^()]*\))?: ?(.*)$", re.DOTALL)


def escaped(text: str) -> str:
    """Text in which nothing but code spans is markup; the double backticks of docstrings go."""
    out, end = [], 0
    for span in CODE.finditer(text):
        out += [_plain(text[end : span.start()]), code(span.group(2))]
        end = span.end()
    return "".join([*out, _plain(text[end:])])


def _plain(text: str) -> str:
    return re.sub(r"([\\*\[\]<>{}`$])", r"\\\1", text)


def code(text: str) -> str:
    """A code span."""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{' '.join(text.split())}{ticks}"


def cell(text: str) -> str:
    """A text as the cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; the cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def docstring(thing: object) -> str:
    """The docstring of a class, function or module as Markdown; empty if it has none.

    Paragraphs stay, sections such as ``Args:`` become lists, doctests and indented blocks code.
    """
    text = getattr(thing, "__doc__", None) or ""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text)) if text else []
    out: list[str] = []
    inside = False  # of a section, whose indented paragraphs belong to its last item
    for block in blocks:
        first, _, rest = block.partition("\n")
        if SECTION.match(first) and rest:
            inside = True
            out += [f"**{first[:-1]}**", _items(inspect.cleandoc(rest))]
        elif block.lstrip().startswith(">>>"):
            out.append(fenced(inspect.cleandoc(block), "python"))
        elif block.startswith(" ") and inside:
            out.append(_items(inspect.cleandoc(block)))
        elif block.startswith(" "):
            out.append(fenced(inspect.cleandoc(block)))
        else:
            inside = False
            out.append(escaped(re.sub(r"::$", ":", block)))
    return "\n\n".join(out)


def _items(text: str) -> str:
    """The items of a section, one line of a list each; a text without items stays a text."""
    items = re.split(r"\n(?! )", text)
    if not all(ITEM.match(item) for item in items):
        return escaped(text)
    found = [(m.group(1), m.group(2)) for m in map(ITEM.match, items) if m]
    return "\n".join(f"* {code(name)}: {escaped(' '.join(what.split()))}" for name, what in found)
