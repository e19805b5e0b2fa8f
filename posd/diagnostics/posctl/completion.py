"""`posctl completion bash`: a script made from the commands themselves, so that it is never behind them.

A static script starts no Python at each Tab, as argcomplete would.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from posd.diagnostics.posctl.command import COMMANDS, Command
from posd.diagnostics.posctl.connection import DONE
from posd.diagnostics.posctl.layout import Paper

_COMMON = "--json --socket --language --help"
_HEAD = """\
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
    case $before in
        --socket|--config|--to) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --language) COMPREPLY=($(compgen -W "zh_CN en" -- "$word")); return ;;
    esac
    local words
    case $command in"""
_TAIL = """\
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _posctl posctl"""


def completion(_options: argparse.Namespace, paper: Paper) -> int:
    """Write the script."""
    paper.line(_HEAD)
    names = " ".join(command.name for command in COMMANDS)
    paper.line(f'        "") words="{names} {_COMMON}" ;;')
    for command in COMMANDS:
        paper.line(f'        {command.name}) words="{" ".join([*_words(command), _COMMON])}" ;;')
    paper.line(_TAIL)
    return DONE


def _words(command: Command) -> Iterator[str]:
    """Its choices, options, and for explain every code."""
    if command.name == "explain":
        from posd.texts.explanations import explanations

        yield from explanations("en")
    for names, options in command.arguments:
        yield from options.get("choices", ())
        yield from (name for name in names if name.startswith("--"))
