"""`posctl completion SHELL`: a script made from the commands themselves, so that it is never behind them.

A static script starts no Python at each Tab, as argcomplete would.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from posd.diagnostics.posctl.command import COMMANDS, LANGUAGES, Command
from posd.diagnostics.posctl.connection import DONE
from posd.diagnostics.posctl.layout import Paper


class Option(NamedTuple):
    """takes: "" nothing, "file" a path, "value" anything, or one of choices."""

    name: str
    summary: str
    takes: str = ""
    choices: tuple[str, ...] = ()


_COMMON: Final = (
    Option("--json", "for programs: JSON, an object a line"),
    Option("--socket", "of the terminal", "file"),
    Option("--language", "of explanations and labels", "value", LANGUAGES),
    Option("--help", "show what it does"),
)

_BASH_HEAD: Final = """\
# posctl: what can follow, for bash. Made by: posctl completion bash
_posctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
            --socket|--language) ((index++)) ;;
            -*) ;;
            *) command=${COMP_WORDS[index]}; break ;;
        esac
    done
    case $before in"""
_BASH_TAIL: Final = """\
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _posctl posctl"""


def completion(options: argparse.Namespace, paper: Paper) -> int:
    """Write the script."""
    for line in _SHELLS[options.shell]():
        paper.line(line)
    return DONE


def _bash() -> Iterator[str]:
    yield _BASH_HEAD
    everywhere = {option.name: option for option in _COMMON}
    for command in COMMANDS:
        everywhere |= {option.name: option for option in _options(command)}
    files = "|".join(name for name, option in everywhere.items() if option.takes == "file")
    yield f'        {files}) COMPREPLY=($(compgen -f -- "$word")); return ;;'
    for name, option in everywhere.items():
        if option.choices:
            words = " ".join(option.choices)
            yield f'        {name}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;'
    yield "    esac\n    local words\n    case $command in"
    common = " ".join(option.name for option in _COMMON)
    names = " ".join(command.name for command in COMMANDS)
    yield f'        "") words="{names} {common}" ;;'
    for command in COMMANDS:
        words = " ".join([*_words(command), *(each.name for each in _options(command)), common])
        yield f'        {command.name}) words="{words}" ;;'
    yield _BASH_TAIL


def _zsh() -> Iterator[str]:
    yield "#compdef posctl"
    yield "# posctl: what can follow, for zsh. Made by: posctl completion zsh"
    yield "_posctl() {"
    yield "    local state line"
    yield "    local -a commands common"
    yield "    common=("
    for option in _COMMON:
        yield f"        {_zsh_option(option)}"
    yield "    )\n    commands=("
    for command in COMMANDS:
        yield f"        {_quoted(f'{command.name}:{command.summary}')}"
    yield "    )"
    yield "    _arguments -C $common '1: :->command' '*:: :->rest'"
    yield "    case $state in"
    yield "        command) _describe command commands ;;"
    yield "        rest)\n            case $words[1] in"
    for command in COMMANDS:
        follow = [_zsh_option(option) for option in _options(command)]
        if words := " ".join(_words(command)):
            follow.append(_quoted(f"1:word:({words})"))
        yield f"                {command.name}) _arguments $common {' '.join(follow)} ;;"
    yield "            esac ;;\n    esac\n}"
    yield 'if [ "$funcstack[1]" = _posctl ]; then _posctl "$@"; else compdef _posctl posctl; fi'


def _zsh_option(option: Option) -> str:
    summary = "".join(f"\\{each}" if each in "[]:" else each for each in option.summary)
    follows = {"": "", "file": ":file:_files", "value": f":value:({' '.join(option.choices)})"}
    return _quoted(f"{option.name}[{summary}]{follows[option.takes]}")


def _fish() -> Iterator[str]:
    yield "# posctl: what can follow, for fish. Made by: posctl completion fish"
    yield "complete -c posctl -f"
    for option in _COMMON:
        yield _fish_option(option)
    for command in COMMANDS:
        yield f"complete -c posctl -n __fish_use_subcommand -a {command.name} -d {_quoted(command.summary)}"
    for command in COMMANDS:
        after = f" -n '__fish_seen_subcommand_from {command.name}'"
        if words := " ".join(_words(command)):
            yield f"complete -c posctl{after} -a {_quoted(words)}"
        for option in _options(command):
            yield _fish_option(option, after)


def _fish_option(option: Option, after: str = "") -> str:
    follows = {"": "", "file": " -r -F", "value": " -x"}[option.takes]
    choices = f" -a {_quoted(' '.join(option.choices))}" if option.choices else ""
    name = option.name.removeprefix("--")
    return f"complete -c posctl{after} -l {name}{follows}{choices} -d {_quoted(option.summary)}"


_SHELLS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}


def _quoted(text: str) -> str:
    """In single quotes; what would end them becomes what looks like it."""
    return "'" + text.replace("'", "’") + "'"


def _words(command: Command) -> Iterator[str]:
    """What may stand behind it without a dash; for explain every code."""
    if command.name == "explain":
        from posd.texts.explanations import explanations

        yield from explanations("en")
    for names, options in command.arguments:
        if not names[0].startswith("--"):
            yield from options.get("choices", ())


def _options(command: Command) -> Iterator[Option]:
    for names, options in command.arguments:
        if names[0].startswith("--"):
            yield Option(
                names[0], _summary(options), _takes(options), tuple(options.get("choices", ()))
            )


def _summary(options: dict[str, Any]) -> str:
    return str(options["help"]) % {"default": options.get("default", "")}


def _takes(options: dict[str, Any]) -> str:
    if options.get("action") == "store_true":
        return ""
    return "file" if options.get("type") is Path else "value"
