"""How a word of the command line becomes a call: a table of words, and an import that happens only for the word that was given.

Typer imports every command of an application to print its help; a city's command has too many tiers for that.
"""

import difflib
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onecard.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of the command: what it is for, and `module:attribute` of what answers to it.

    That is a Typer application, a function to make one from, or, where it is called `main`, a function that takes the rest
    of the words.
    """

    zh: str
    en: str
    target: str


Table = Mapping[str, Entry]


def call(table: Table, words: Sequence[str], *, prog_name: str) -> None:
    """Run the command `words` name. Ends the process as Typer does. Raises InvalidInput for a word that is not in the table."""
    name = words[0]
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        zh, en = (f"；是否要用 {near[0]}？", f": did you mean {near[0]}?") if near else ("", "")
        raise InvalidInput(f"没有命令 {prog_name} {name}{zh}", f"there is no command {prog_name} {name}{en}")
    target = load(table[name].target)
    if table[name].target.endswith(":main"):
        target(words[1:])
    else:
        typer_main(target, words[1:], prog_name=f"{prog_name} {name}")


def load(target: str) -> Any:
    """The object `module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def typer_main(command: Any, words: Sequence[str], *, prog_name: str) -> None:
    """Hand over to Typer: an application as it is, a function as an application of one command."""
    import typer

    if not isinstance(command, typer.Typer):
        function, command = command, typer.Typer(add_completion=False)
        command.command(context_settings={"help_option_names": ["-h", "--help"]})(function)
    typer.main.get_command(command).main(args=list(words), prog_name=prog_name)


def page(table: Table) -> str:
    """The lines of a table: the word, Chinese first, English below it."""
    width = max(len(name) for name in table) + 2
    lines = [f"  {name:<{width}}{entry.zh}\n  {'':<{width}}{entry.en}" for name, entry in table.items()]
    return "\n".join(lines)


def wants_help(words: Sequence[str]) -> bool:
    """Whether help is asked for, before any word of the table."""
    return not words or words[0] in {"-h", "--help", "help"}


def show(text: str) -> None:
    """Write a page to the standard output."""
    sys.stdout.write(text + "\n")
