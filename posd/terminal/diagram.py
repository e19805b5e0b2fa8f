"""The state diagrams of the README, made from the rows of the flows: `python -m posd.terminal.diagram`.

Rows that stay on the same step are left out, and so is what every flow has (取消 and time-out to
idle, help, scrolling). An edge says its event, its guard in brackets, and `back` for 清除.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from posd.terminal.fields import TextField
from posd.terminal.flows import FLOWS
from posd.terminal.machine import STAY, Flow, Guard, Row, back_rows

README: Final = Path(__file__).with_name("README.md")
BEGIN: Final = "<!-- begin of the generated diagrams: python -m posd.terminal.diagram -->"
END: Final = "<!-- end of the generated diagrams -->"


def diagrams(flows: Sequence[Flow] = FLOWS) -> str:
    """One overview, then one diagram a flow, as Markdown."""
    parts = ["### All flows", _fence(_overview(flows))]
    for flow in flows:
        parts += [f"### {flow.name}", _fence(_flow(flow))]
    return "\n\n".join(parts)


def put_into(text: str, generated: str) -> str:
    """The README with what stands between the markers replaced. Raises ValueError without markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"expected the markers {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}"


def _fence(lines: Iterable[str]) -> str:
    return "\n".join(("```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"))


def _overview(flows: Sequence[Flow]) -> list[str]:
    edges: dict[tuple[str, str], list[str]] = {}
    for flow in flows:
        for row in flow.rows:
            target = row.then.partition(".")[0]
            if "." in row.then and target != flow.name:
                edges.setdefault((flow.name, target), []).append(row.event)
    return ["[*] --> idle", *_edges(edges)]


def _flow(flow: Flow) -> list[str]:
    edges: dict[tuple[str, str], list[str]] = {}
    for row in (*flow.rows, *back_rows(flow)):
        if row.then != STAY and row.state:
            target = row.then.removeprefix(f"{flow.name}.").replace(".", "_")
            edges.setdefault((row.state, target), []).append(_label(row))
    drawn = {name for edge in edges for name in edge}
    alone = [step.name for step in flow.steps if step.name not in drawn]
    return [f"[*] --> {flow.steps[0].name}", *alone, *_edges(edges)]


def _edges(edges: dict[tuple[str, str], list[str]]) -> list[str]:
    return [
        f"{source} --> {target}: {', '.join(dict.fromkeys(labels))}"
        for (source, target), labels in edges.items()
    ]


def _label(row: Row) -> str:
    event = "back" if row.event == "clear" else row.event
    name = _name(row.when)
    return f"{event} [{name}]" if name else event


def _name(guard: Guard | None) -> str:
    """What a guard asks; nothing for the generated one, which the word back says already."""
    if guard is None:
        return ""
    if isinstance(guard, partial):
        arguments = " ".join(filter(None, map(_argument, guard.args)))
        name = guard.func.__name__
        return "" if name == "came_from" else f"{name} {arguments}".replace("_", " ").rstrip()
    return guard.__name__.replace("_", " ")


def _argument(value: object) -> str:
    """What a guard was made with, where it reads: a word, a number, a field, another guard."""
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, TextField):
        return value.attribute
    return _name(value) if isinstance(value, partial) else ""


def main() -> None:
    """Write the diagrams into the README beside this module."""
    text = README.read_text(encoding="utf-8")
    README.write_text(put_into(text, diagrams()), encoding="utf-8")


if __name__ == "__main__":
    main()
