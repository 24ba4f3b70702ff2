"""`denoodle [workflow]` opens the editor; `denoodle run FILE` and its like work without a window."""

import os
import sys
from pathlib import Path

COMMANDS = ("run", "sweep", "check", "nodes", "export", "devices", "tokenizer", "models")
DESKTOP_COMMANDS = ("install-desktop", "remove-desktop")
UNUSABLE = 2
"""The exit code when what the program needs is not there."""


def main(argv: list[str] | None = None) -> int:
    """argv: without the program's name; None takes the command line. The exit code.

    The engine process imports the program's file again, so everything is imported in here.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv and (argv[0] in COMMANDS or argv[0] in ("-h", "--help", "--version")):
        from denoodle import headless

        return headless.main(argv, called=program())
    if argv and argv[0] in DESKTOP_COMMANDS:
        from denoodle import desktop

        return desktop.main(argv, program())
    return edit(argv)


def program() -> str:
    """How whoever reads the help called the program."""
    name = Path(sys.argv[0]).name
    return name if name == "main.py" else "denoodle"


def edit(argv: list[str]) -> int:
    import argparse

    parser = argparse.ArgumentParser(prog=program(), description="Open the editor.")
    parser.add_argument("workflow", nargs="?", help="a workflow, or a picture with a workflow inside")
    parser.add_argument("--run", action="store_true", help="run it at once")
    args = parser.parse_args(argv)

    import gc

    # Until the window is there, whose own collector begins then: what is imported stays, and to look through it again
    # and again is a twentieth of the start.
    gc.disable()

    from denoodle import display

    if why := display.complaint(os.environ):
        print(f"Denoodle cannot open a window: {why}", file=sys.stderr)
        return UNUSABLE

    from nodegraph.formats.package import discover
    from ui.window.app import run_editor

    try:
        return run_editor(discover("nodes"), args.workflow, package="nodes", autorun=args.run)
    except ValueError as error:
        print(f"Denoodle cannot start: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
