"""Denoodle. `python main.py [workflow]` opens the editor; `python main.py run FILE` works without a window."""

import sys

COMMANDS = ("run", "check", "nodes", "export")


def main(argv: list[str]) -> int:
    """The engine process imports this file again, so everything is imported in here."""
    if argv and (argv[0] in COMMANDS or argv[0] in ("-h", "--help")):
        import headless

        return headless.main(argv)
    return edit(argv)


def edit(argv: list[str]) -> int:
    import argparse

    parser = argparse.ArgumentParser(prog="main.py", description="Open the editor.")
    parser.add_argument("workflow", nargs="?", help="a workflow, or a picture with a workflow inside")
    parser.add_argument("--run", action="store_true", help="run it at once")
    args = parser.parse_args(argv)

    from nodegraph.registry import discover
    from ui.window.app import run_editor

    try:
        return run_editor(discover("nodes"), args.workflow, package="nodes", autorun=args.run)
    except ValueError as error:
        print(f"Denoodle cannot start: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
