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
    language, say = options.language, paper.say
    test = f"  {paper.colour(say('TEST'), 'warning')}" if found.test_host else ""
    head = f"{paper.colour(found.terminal, 'strong')} {found.merchant_name}"
    paper.row(f"{head}: {_sells(found, paper)}{test}", "  ")
    for reason in found.reasons:
        paper.paragraph(in_short(reason, language), "    ", f"  {paper.colour('!', 'warning')} ")
        _remedy(paper, root_of(reason).code, language)
    signed_in = (
        say("yes, operator {operator}, batch {batch}", operator=found.operator, batch=found.batch)
        if found.signed_in
        else say("no, batch {batch}", batch=found.batch)
    )
    unsettled = say("{count} of {limit}", count=found.unsettled, limit=found.batch_limit)
    paper.pairs(
        (
            (say("signed in"), signed_in),
            (say("acquirer"), _link(found.link, paper)),
            (say("unsettled"), unsettled),
            (say("slips waiting"), str(found.waiting_slips) if found.waiting_slips else ""),
            (say("clock"), _clock(found.clock, paper)),
            (say("disk"), _disk(found, paper)),
            (say("running since"), f"{clock_time(found.started)}, posd {found.version}"),
            (say("program faults"), str(found.faults) if found.faults else ""),
        )
    )
    _device_table(paper, found.devices)
    if found.cases:
        paper.line(paper.colour(say("in doubt"), "strong"))
        columns = ("voucher", "state", "amount", "card", "since", "tries", "answer")
        paper.table(
            tuple(map(say, columns)),
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
        paper.line(paper.colour(say("last troubles"), "strong"))
        told = {root_of(reason).code for reason in found.reasons}
        for trouble in found.troubles[:_TROUBLES_SHOWN]:
            _trouble(paper, trouble, language)
            if not trouble.over and trouble.code not in told:
                _remedy(paper, trouble.code, language)
                told.add(trouble.code)
    if found.reasons or found.troubles:
        paper.row(
            paper.colour(
                say("posctl why: what to do; posctl explain CODE: what it means"), "faint"
            ),
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
        paper.line(paper.colour(paper.say("It does not sell:"), "bad"))
        for reason in found.reasons:
            tell_reason(paper, reason, options.language, "bad")
    failing = _failing(found.warnings)
    if found.sells and not failing:
        paper.line(paper.colour(paper.say("It sells."), "good"))
    if failing:
        told = (
            paper.say("A sale can be begun, but the last failed:")
            if found.sells
            else paper.say("The last exchange failed:")
        )
        paper.line(paper.colour(told, "warning"))
        for reason in failing:
            tell_reason(paper, reason, options.language, "warning")
    if others := [each for each in found.warnings if each not in failing]:
        others_told = paper.say("Not right, although it does not stop a sale:")
        paper.line(paper.colour(others_told, "warning"))
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
        unseen = paper.say("the display is absent: nobody sees this")
        paper.line(paper.colour(unseen, "warning"))
    paper.line(paper.colour(found.dialogue, "faint"))
    return DONE


def journal(terminal: Connection, options: argparse.Namespace, paper: Paper) -> int:
    """The newest transactions, newest first."""
    more = {} if options.before is None else {"before": options.before}
    found, item = terminal.one(m.Journal, "journal", count=options.count, **more)
    if options.json:
        return show_json(paper, item)
    if not found.entries:
        paper.line(paper.say("no transactions"))
        return DONE
    times = short_times([entry.at for entry in found.entries])
    columns = ("voucher", "time", "kind", "amount", "card", "state", "code", "by", "id")
    paper.table(
        tuple(map(paper.say, columns)),
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
    say, asked = paper.say, options.voucher.zfill(len(entry.voucher))
    order = say("{number}, the newest attempt to pay it", number=asked)
    paper.pairs(
        (
            (say("of order"), "" if asked == entry.voucher else order),
            (say("card"), entry.card),
            (say("time"), clock_time(entry.at)),
            (say("operator"), entry.operator),
            (say("answer"), entry.code),
            (say("in the log"), f"transaction={entry.transaction}"),
        )
    )
    paper.line()
    paper.paragraph("; ".join(found.summary))
    paper.line()
    names = [what for _at, what, _more in found.steps]
    words = found.words if len(found.words) == len(names) else names
    paper.table(
        (say("time"), say("step"), say("details")),
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
        return paper.colour(paper.say("does not sell"), "bad")
    failing = ", ".join(reason.code for reason in _failing(found.reasons))
    if failing:
        told = paper.say("can begin a sale; the last one failed: {codes}", codes=failing)
        return paper.colour(told, "warning")
    return paper.colour(paper.say("sells"), "good")


def _link(link: m.Link, paper: Paper) -> str:
    protection = {
        "tls": "TLS",
        "plaintext": paper.colour(
            paper.say("PLAIN TCP: anybody on the way can read and forge"), "bad"
        ),
        "loopback": paper.say("plain, on this machine"),
    }[link.protection]
    state = (
        paper.colour(paper.say("trouble"), "bad")
        if link.trouble
        else paper.say("ok")
        if link.last_result
        else paper.say("not used yet")
    )
    last = ""
    if link.last_result:
        usable = link.last_result == "usable"
        words = paper.say("answered") if usable else link.last_result.replace("_", " ")
        answer = f" {link.last_code}" if link.last_code else ""
        reason = (
            f": {link.last_reason.replace('_', ' ')}" if link.trouble and link.last_reason else ""
        )
        last = paper.say(
            ", last exchange {time} {words}",
            time=clock_time(link.last_at)[-8:],
            words=f"{words}{answer}{reason}",
        )
    return f"{link.address}:{link.port}, {protection}, {state}{last}"


def _clock(clock: m.Clock, paper: Paper) -> str:
    text = clock_time(clock.machine)
    if clock.ahead is None:
        return paper.say("{time} (not compared: no sign-in since the start)", time=text)
    if abs(clock.ahead) <= CLOCK_MAY_DIFFER:
        return paper.say("{time}, as the acquirer's", time=text)
    return f"{text}, {paper.colour(clock_in_words(clock.ahead), 'bad')}"


def _disk(found: m.Status, paper: Paper) -> str:
    text = paper.say("{size} MiB free", size=found.free_bytes >> 20)
    if found.free_bytes < found.needed_bytes:
        needed = found.needed_bytes >> 20
        return paper.colour(paper.say("{free}, {size} MiB needed", free=text, size=needed), "bad")
    return text


def _trouble(paper: Paper, trouble: m.Trouble, language: str) -> None:
    times = paper.say(", {count} times", count=trouble.count) if trouble.count > 1 else ""
    detail = f": {trouble.detail.replace('_', ' ')}" if trouble.detail else ""
    over = paper.say(" (over)") if trouble.over else ""
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
        there = (
            paper.say("present")
            if state.present
            else paper.say("ABSENT")
            if state.configured
            else "-"
        )
        rows.append((paper.say(state.role), there, state.port, state.state or state.reason))
    paper.table(tuple(map(paper.say, ("device", "is", "port", "says"))), rows)
