"""Commands that look once: each asks, and draws the answer."""

from __future__ import annotations

import argparse
from typing import Final

from posd.diagnostics import messages as m
from posd.diagnostics.clocks import CLOCK_MAY_DIFFER, clock_in_words
from posd.diagnostics.posctl.connection import DONE, NOT_SELLING, Connection, read
from posd.diagnostics.posctl.layout import Paper, amount, clock_time, readable, short_times
from posd.diagnostics.posctl.plain import show_json
from posd.diagnostics.posctl.words import (
    first_cause,
    first_remedy,
    in_short,
    root_of,
    tell_reason,
)

_EXCHANGE: Final = "E2"  # codes of exchanges with the acquirer: what makes sales fail one by one
_TROUBLES_SHOWN: Final = 5


def status(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """How the terminal stands, on one screen."""
    found, item = terminal.one(m.Status, "status")
    code = DONE if found.sells else NOT_SELLING
    if options.json:
        return show_json(paper, item) or code
    language = options.language
    test = f"  {paper.colour('TEST', 'warning')}" if found.test_host else ""
    head = f"{paper.colour(found.terminal, 'strong')} {found.merchant_name}"
    paper.row(f"{head}: {_sells(found, paper)}{test}", "  ")
    for reason in found.reasons:
        paper.paragraph(in_short(reason, language), "    ", f"  {paper.colour('!', 'warning')} ")
        _remedy(paper, root_of(reason).code, language)
    signed = f"yes, operator {found.operator}" if found.signed_in else "no"
    paper.pairs(
        (
            ("signed in", f"{signed}, batch {found.batch}"),
            ("acquirer", _link(found.link, paper)),
            ("unsettled", f"{found.unsettled} of {found.batch_limit}"),
            ("slips waiting", str(found.waiting_slips) if found.waiting_slips else ""),
            ("clock", _clock(found.clock, paper)),
            ("disk", _disk(found, paper)),
            ("running since", f"{clock_time(found.started)}, posd {found.version}"),
            ("program faults", str(found.faults) if found.faults else ""),
        )
    )
    _device_table(paper, found.devices)
    if found.cases:
        paper.line(paper.colour("in doubt", "strong"))
        paper.table(
            ("voucher", "state", "amount", "card", "since", "tries", "answer"),
            [
                (
                    c.voucher,
                    c.state,
                    amount(c.amount),
                    c.card,
                    clock_time(c.since),
                    str(c.tries),
                    c.last_code,
                )
                for c in found.cases
            ],
        )
    if found.troubles:
        paper.line(paper.colour("last troubles", "strong"))
        told = {root_of(reason).code for reason in found.reasons}
        for trouble in found.troubles[:_TROUBLES_SHOWN]:
            _trouble(paper, trouble, language)
            if not trouble.over and trouble.code not in told:
                _remedy(paper, trouble.code, language)
                told.add(trouble.code)
    if found.reasons or found.troubles:
        paper.row(
            paper.colour("posctl why: what to do; posctl explain CODE: what it means", "faint"),
            "  ",
        )
    return code


def why(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Why it does not sell right now, first reason first, and what to do."""
    found, item = terminal.one(m.Why, "why")
    code = DONE if found.sells else NOT_SELLING
    if options.json:
        return show_json(paper, item) or code
    if not found.sells:
        paper.line(paper.colour("It does not sell:", "bad"))
        for reason in found.reasons:
            tell_reason(paper, reason, options.language, "bad")
    failing = _failing(found.warnings)
    if found.sells and not failing:
        paper.line(paper.colour("It sells.", "good"))
    if failing:
        told = (
            "A sale can be begun, but the last failed:"
            if found.sells
            else "The last exchange failed:"
        )
        paper.line(paper.colour(told, "warning"))
        for reason in failing:
            tell_reason(paper, reason, options.language, "warning")
    if others := [each for each in found.warnings if each not in failing]:
        paper.line(paper.colour("Not right, although it does not stop a sale:", "warning"))
        for reason in others:
            tell_reason(paper, reason, options.language, "warning")
    return code


def devices(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Every device: is it there, where, and what it says of itself."""
    found, item = terminal.one(m.Devices, "devices")
    if options.json:
        return show_json(paper, item)
    _device_table(paper, found.devices)
    return DONE


def screen(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """What the clerk sees."""
    found, item = terminal.one(m.Screen, "screen")
    if options.json:
        return show_json(paper, item)
    from devices import columns as grid

    paper.line(f"┌{'─' * found.columns}┐")
    rows = [*found.rows, *[""] * (found.lines - len(found.rows))]
    for number, row in enumerate(rows):
        text = row + " " * (found.columns - grid.width(row))
        paper.line(f"│{paper.colour(text, 'strong') if number == found.reverse else text}│")
    paper.line(f"└{'─' * found.columns}┘")
    if not found.shown:
        paper.line(paper.colour("the display is absent: nobody sees this", "warning"))
    paper.line(paper.colour(found.dialogue, "faint"))
    return DONE


def journal(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """The newest transactions, newest first."""
    more = {} if options.before is None else {"before": options.before}
    found, item = terminal.one(m.Journal, "journal", count=options.count, **more)
    if options.json:
        return show_json(paper, item)
    if not found.entries:
        paper.line("no transactions")
        return DONE
    times = short_times([entry.at for entry in found.entries])
    paper.table(
        ("voucher", "time", "kind", "amount", "card", "state", "code", "by", "id"),
        [
            (
                e.voucher, at, e.kind, amount(e.amount), e.card, e.state, e.code, e.operator,
                str(e.transaction),
            )
            for e, at in zip(found.entries, times, strict=True)
        ],
    )  # fmt: skip
    return DONE


def orders(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Orders as CSV, by the day on which they were made."""
    days = {"since": options.since, "until": options.until}
    for item in terminal.ask("orders", **{name: day for name, day in days.items() if day}):
        if options.json:
            show_json(paper, item)
        elif item["answer"] == "line":
            paper.line(read(item, m.Line).text)
    return DONE


def show(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """The story of one transaction, by its voucher number."""
    found, item = terminal.one(m.Story, "show", voucher=options.voucher, language=options.language)
    if options.json:
        return show_json(paper, item)
    entry = found.entry
    paper.line(
        paper.colour(f"{entry.voucher} {entry.kind} {amount(entry.amount)} {entry.state}", "strong")
    )
    order = options.voucher.zfill(len(entry.voucher))
    paper.pairs(
        (
            (
                "of order",
                "" if order == entry.voucher else f"{order}, the newest attempt to pay it",
            ),
            ("card", entry.card),
            ("time", clock_time(entry.at)),
            ("operator", entry.operator),
            ("answer", entry.code),
            ("in the log", f"transaction={entry.transaction}"),
        )
    )
    paper.line()
    paper.paragraph("; ".join(found.summary))
    paper.line()
    names = [what for _at, what, _more in found.steps]
    words = found.words if len(found.words) == len(names) else names
    paper.table(
        ("time", "step", "details"),
        [
            (clock_time(at), word, " ".join(map(_detail, more.split(" "))))
            for word, (at, _what, more) in zip(words, found.steps, strict=True)
        ],
    )
    return DONE


def flight(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """What the lines carried last, masked: the flight recorders."""
    roles = [options.role] if options.role else ["keypad", "display", "printer", "card_reader"]
    for role in roles:
        if not options.json:
            paper.line(paper.colour(role, "strong"))
        for item in terminal.ask("flight", role=role):
            if item["answer"] != "passed":
                continue
            if options.json:
                show_json(paper, {"role": role, **item})
            else:
                paper.line(flight_line(read(item, m.Passed)))
    return DONE


def flight_line(entry: m.Passed) -> str:
    """One entry: how long ago, which way, the bytes in hex and as text."""
    if entry.direction == "note":
        return f"{-entry.ago:12.3f}   {entry.data.decode('utf-8', 'replace')}"
    arrow = "<" if entry.direction == "in" else ">"
    readable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in entry.data)
    return f"{-entry.ago:12.3f} {arrow} {entry.data.hex(' ')} |{readable}|"


def metrics(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """Figures for a monitoring system, Prometheus text format 0.0.4."""
    found, item = terminal.one(m.Metrics, "metrics")
    if options.json:
        return show_json(paper, item)
    paper.line(found.text.rstrip("\n"))
    return DONE


def configuration(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """The settings in force as TOML, and versions in comments; keys as check values."""
    for item in terminal.ask("configuration"):
        if options.json:
            show_json(paper, item)
        elif item["answer"] == "section":
            section = read(item, m.Section)
            paper.line(paper.colour(f"[{section.name}]", "strong"))
            for name, value in section.toml.items():
                paper.line(f"{paper.colour(name, 'faint')} = {value}")
        else:
            versions = read(item, m.Versions)
            paper.line()
            if versions.file:
                paper.line(f"# {paper.colour('file', 'faint')}: {versions.file}")
            for name, value in (*versions.versions.items(), *versions.checks.items()):
                paper.line(f"# {paper.colour(name, 'faint')}: {value}")
    return DONE


def _detail(word: str) -> str:
    """One word of a step's details, an amount as people read it."""
    name, equals, value = word.partition("=")
    return f"{name}={readable(name, value)}" if equals else word


def _failing(reasons: tuple[m.Reason, ...]) -> list[m.Reason]:
    """Those that stop no sale from beginning, and make it fail at the acquirer."""
    return [each for each in reasons if each.code.startswith(_EXCHANGE)]


def _sells(found: m.Status, paper: Paper) -> str:
    """The headline; what its codes mean stands in the lines below it."""
    if not found.sells:
        return paper.colour("does not sell", "bad")
    failing = ", ".join(reason.code for reason in _failing(found.reasons))
    if failing:
        return paper.colour(f"can begin a sale; the last one failed: {failing}", "warning")
    return paper.colour("sells", "good")


def _link(link: m.Link, paper: Paper) -> str:
    protection = {
        "tls": "TLS",
        "plaintext": paper.colour("PLAIN TCP: anybody on the way can read and forge", "bad"),
        "loopback": "plain, on this machine",
    }[link.protection]
    state = (
        paper.colour("trouble", "bad")
        if link.trouble
        else "ok"
        if link.last_result
        else "not used yet"
    )
    last = ""
    if link.last_result:
        words = link.last_result.replace("_", " ")
        answer = f" {link.last_code}" if link.last_code else ""
        reason = (
            f": {link.last_reason.replace('_', ' ')}" if link.trouble and link.last_reason else ""
        )
        last = f", last exchange {clock_time(link.last_at)[-8:]} {words}{answer}{reason}"
    return f"{link.address}:{link.port}, {protection}, {state}{last}"


def _clock(clock: m.Clock, paper: Paper) -> str:
    text = clock_time(clock.machine)
    if clock.ahead is None:
        return f"{text} (not compared: no sign-in since the start)"
    if abs(clock.ahead) <= CLOCK_MAY_DIFFER:
        return f"{text}, as the acquirer's"
    return f"{text}, {paper.colour(clock_in_words(clock.ahead), 'bad')}"


def _disk(found: m.Status, paper: Paper) -> str:
    text = f"{found.free_bytes >> 20} MiB free"
    if found.free_bytes < found.needed_bytes:
        return paper.colour(f"{text}, {found.needed_bytes >> 20} MiB needed", "bad")
    return text


def _trouble(paper: Paper, trouble: m.Trouble, language: str) -> None:
    times = f", {trouble.count} times" if trouble.count > 1 else ""
    detail = f": {trouble.detail.replace('_', ' ')}" if trouble.detail else ""
    over = " (over)" if trouble.over else ""
    cause = first_cause(trouble.code, language)
    code = trouble.code if trouble.over else paper.colour(trouble.code, "warning")
    paper.paragraph(
        f"{cause}{detail}{times}{over}", "      ", f"  {clock_time(trouble.at)} {code} "
    )


def _remedy(paper: Paper, code: str, language: str) -> None:
    """What to do first."""
    words = first_remedy(code, language)
    if words:
        paper.paragraph(words, "       ", f"    {paper.colour('->', 'strong')} ")


def _device_table(paper: Paper, states: tuple[m.DeviceState, ...]) -> None:
    rows = []
    for state in states:
        there = "present" if state.present else "ABSENT" if state.configured else "-"
        rows.append((state.role, there, state.port, state.state or state.reason))
    paper.table(("device", "is", "port", "says"), rows)
