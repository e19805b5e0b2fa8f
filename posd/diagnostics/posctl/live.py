"""Commands that go on until Ctrl-C, and those that do something and wait for how it went."""

from __future__ import annotations

import argparse
import sys

from posd.diagnostics import messages as m
from posd.diagnostics.posctl.connection import DONE, Connection, read
from posd.diagnostics.posctl.layout import Paper, readable
from posd.diagnostics.posctl.plain import show_json

_LONGEST_ACT = 90.0  # seconds that an act may take


def watch(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Everything that happens at the terminal, as it happens, until Ctrl-C."""
    terminal.patient(None)
    _goes_on(options, paper)
    for item in terminal.ask("watch"):
        if options.json:
            show_json(paper, item)
            continue
        happened = read(item, m.Happened)
        details = " ".join(
            f"{name}={value}" for name, value in happened.details.items() if value != ""
        )
        paper.line(f"{paper.colour(happened.at[11:], 'faint')} {happened.name} {details}".rstrip())
    return DONE


def trace(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Messages to and from the acquirer, decoded and masked, until Ctrl-C; `off` ends everybody's trace."""
    terminal.patient(None)
    if options.switch == "off":
        return act(terminal, paper, options, "trace_off")
    _goes_on(options, paper)
    for item in terminal.ask("trace"):
        if options.json:
            show_json(paper, item)
        elif item["answer"] == "done":
            paper.line(read(item, m.Done).text)
        else:
            traced = read(item, m.Traced)
            arrow = "-> acquirer" if traced.direction == "out" else "<- acquirer"
            paper.line(f"{paper.colour(traced.at[11:], 'faint')} {paper.colour(arrow, 'strong')}")
            for line in traced.lines:
                paper.line(f"    {line}")
    return DONE


def events(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """The outbox: what accounting and stock are told, from a number on; with --follow until Ctrl-C."""
    if options.follow:
        terminal.patient(None)
        _goes_on(options, paper)
    for item in terminal.ask("events", start=options.start, follow=options.follow):
        if options.json:
            show_json(paper, item)
        elif item["answer"] == "step":
            paper.line(paper.colour(read(item, m.Step).text, "warning"))
        elif item["answer"] == "recorded":
            event = read(item, m.Recorded)
            # Every field is always there for programs; a person looks for those that say something.
            details = " ".join(
                f"{name}={readable(name, value)}"
                for name, value in event.details.items()
                if value not in ("", None)
            )
            paper.line(f"{event.number:>8} {event.at.replace('T', ' ')} {event.name} {details}")
    return DONE


def _goes_on(options: argparse.Namespace, paper: Paper) -> None:
    """For a person: nothing may happen for long, and nothing else says how to end it."""
    if paper.on_terminal and not options.json:
        paper.line(paper.colour("Ctrl-C ends", "faint"))


def test(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Try a part of the terminal: printer, reader, display, keypad or host."""
    part = "card_reader" if options.part == "reader" else options.part
    return act(terminal, paper, options, "test", part=part, seconds=options.seconds)


def echo(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Ask the acquirer for an echo and say how long it took."""
    return act(terminal, paper, options, "echo")


def loglevel(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Log from this level on, until the next start. For root."""
    return act(terminal, paper, options, "loglevel", level=options.level)


def backup(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Make a verified copy of the ledger as soon as nobody uses the terminal."""
    # What it waits for is no part of the answer, which scripts take the file's name from.
    waits = Paper(sys.stderr, options.language)
    return act(terminal, paper, options, "backup", steps=waits)


def act(
    terminal: Connection,
    paper: Paper,
    options: argparse.Namespace,
    name: str,
    *,
    steps: Paper | None = None,
    **values: object,
) -> int:
    """Ask for an act and say how it goes; on steps, if given, how far it has come.

    Raises Trouble when it could not be done.
    """
    terminal.patient(_LONGEST_ACT)
    for item in terminal.ask(name, **values):
        if options.json:
            show_json(paper, item)
        elif item.get("text"):
            told = steps if steps is not None and item["answer"] == "step" else paper
            told.row(str(item["text"]))
    return DONE
