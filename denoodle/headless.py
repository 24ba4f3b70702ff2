"""Commands without a window: run, sweep, check, nodes, export, devices, tokenizer, models; the engine is in this
process.

Exit codes: 0 all well; 1 the workflow has problems or a node failed; 2 wrong usage, or a file that cannot be
read; 130 interrupted. Results that were finished before are kept, so the same command goes on from there.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from denoodle.again import Before, before, begin_anew
from denoodle.terminal import ProgressLine, take_all_text
from nodegraph.editing import places
from nodegraph.editing.assign import assign
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.graph import Graph
from nodegraph.group_type import document_types
from nodegraph.node import REQUIRED, Choice, Input, NodeType, Range, exact
from nodegraph.planning.fingerprints import locate
from nodegraph.planning.plan import Planner
from nodegraph.running.client import broken_sentence
from nodegraph.running.engine import Engine, Settings, cache_folder
from nodegraph.running.executor import Broken
from nodegraph.running.messages import PRECISIONS, Event, Failed, Finished, Run, Saved
from nodegraph.text import shortened
from nodegraph.types import type_name

OK, FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
FORMS = (
    "[WORKFLOW] [--run]",
    "{run,sweep,check,nodes,export,devices,tokenizer,models} ...",
    "{install-desktop,remove-desktop}",
    "--version",
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(shortened(message))


class _Version(argparse.Action):
    """Looks the version up when it is asked for: what reads it takes more memory than the rest of a command's start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"Denoodle {version('denoodle')}")
        parser.exit()


def _device(name: str) -> str:
    """Whether a machine could have a device of this name; whether this one has it is known later."""
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d{1,3})?", name):
        raise argparse.ArgumentTypeError(f"it is auto, cpu, mps, or cuda or xpu with a number, cuda:1; got {name!r}")
    return name


def parser(called: str = "denoodle") -> argparse.ArgumentParser:
    """called: the command, for its help."""
    top = _Parser(
        prog=called,
        usage="\n       ".join(f"{called} {form}" for form in FORMS),
        description="Denoodle, an editor for diffusion workflows. Without a command: open the editor.",
        epilog=(__doc__ or "").split("\n\n", 1)[1],
    )
    top.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    commands = top.add_subparsers(prog=called, dest="command", required=True, metavar="COMMAND")
    files = _Parser(add_help=False)
    files.add_argument("file", metavar="FILE", help="a workflow, or a picture with a workflow inside")

    runs = _Parser(add_help=False)
    runs.add_argument("--set", action="append", default=[], metavar="NODE.PARAM=VALUE", help="change a parameter first")
    runs.add_argument("--json", action="store_true", help="print what happened as one JSON object at the end")

    computes = _computes()
    run = commands.add_parser("run", parents=[files, runs, computes], help="compute a workflow without a window")
    run.set_defaults(act=run_command)

    from denoodle import models_command, sweep_command  # which stand on this module

    sweep_command.add(commands, [files, runs, computes])
    models_command.add(commands)

    check = commands.add_parser("check", parents=[files, runs], help="list a workflow's problems without running it")
    check.set_defaults(act=check_command)

    nodes = commands.add_parser("nodes", help="list the node types with their documentation")
    nodes.add_argument("--json", action="store_true", help="as a JSON list")
    nodes.set_defaults(act=nodes_command)

    export = commands.add_parser("export", parents=[files], help="print the workflow in a picture or file as JSON")
    export.add_argument("--out", metavar="FILE", help="write it there instead")
    export.set_defaults(act=export_command)

    devices = commands.add_parser("devices", help="list what there is to compute on, by the names for --device")
    devices.set_defaults(act=devices_command)

    tokenizer = commands.add_parser("tokenizer", help="keep T5's tokenizer, which no file of weights holds")
    chosen = tokenizer.add_mutually_exclusive_group(required=True)
    chosen.add_argument("words", nargs="?", metavar="FILE", help="a tokenizer.json or spiece.model, or its folder")
    chosen.add_argument("--download", action="store_true", help="fetch it from the model hub (2 MB)")
    tokenizer.set_defaults(act=tokenizer_command)
    return top


def _computes() -> _Parser:
    """What is to be said to whoever computes."""
    computes = _Parser(add_help=False)
    computes.add_argument("--out", default="output", metavar="DIR", help="where pictures are written (default: output)")
    computes.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        type=_device,
        help="auto, cpu, mps, or a card: cuda, cuda:1, xpu (default: auto)",
    )
    computes.add_argument(
        "--precision", default="auto", choices=PRECISIONS, help="what to compute in where a model allows it"
    )
    computes.add_argument(
        "--cache", default=cache_folder(), metavar="DIR", help="where results are kept (default: %(default)s)"
    )
    return computes


def main(argv: list[str], package: str = "nodes", called: str = "denoodle") -> int:
    """package: where the node types are. called: the command, for its help. Returns the exit code."""
    take_all_text(sys.stdout, sys.stderr)
    args = parser(called).parse_args(argv)
    report = Report(getattr(args, "file", ""))
    try:
        code = args.act(args, report, package)
        if args.command in ("run", "sweep", "check") and args.json:
            print(report.as_json())
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read standard output has seen enough, as in `denoodle nodes | head`; nothing is left to be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


@dataclass
class Report:
    """What a command found out, for people while it happens and for scripts at the end.

    peaks: by node, the bytes that were in use at the most while it was computed, of the device that computes. sweep:
    what there is to say of one besides.
    """

    file: str
    images: list[str] = field(default_factory=list[str])
    calls: dict[str, int] = field(default_factory=lambda: {"run": 0, "cached": 0})
    seconds: float = 0.0
    peaks: dict[str, int] = field(default_factory=dict[str, int])
    problems: list[dict[str, str | None]] = field(default_factory=list[dict[str, str | None]])
    sweep: dict[str, Any] = field(default_factory=dict[str, Any])

    def problem(self, message: str, node: str | None = None, socket: str | None = None) -> None:
        self.problems.append({"node": node, "socket": socket, "message": message})
        say(f"{self.file}: node {node!r}: {message}" if node else message)

    def as_json(self) -> str:
        fields = ("images", "calls", "seconds", "peaks", "problems")
        return json.dumps({name: getattr(self, name) for name in fields} | self.sweep)


Command = Callable[[argparse.Namespace, Report, str], int]


def reporting(command: Command) -> Command:
    """What cannot be used (a file, a value, a device) goes into the report as a sentence."""

    @functools.wraps(command)
    def act(args: argparse.Namespace, report: Report, package: str) -> int:
        try:
            return command(args, report, package)
        except ValueError as error:
            report.problem(str(error))
            return UNUSABLE

    return act


@reporting
def run_command(args: argparse.Namespace, report: Report, package: str) -> int:
    registry = discover(package)
    graph = opened(args, registry)
    targets = sinks(graph, document_types(graph.groups, registry))
    # Before anything heavy is loaded: most mistakes are found in a second.
    _list_problems(report, graph, registry, targets)
    if report.problems:
        return FAILED
    check_writable(args.out)
    engine = Engine(Settings(package, args.device, args.cache, out_dir=args.out, precision=args.precision))
    engine.configure()
    code = _execute(engine, Run(graph, targets), report)
    for path in [] if args.json else report.images:
        print(path)
    return code


@reporting
def devices_command(args: argparse.Namespace, report: Report, package: str) -> int:
    hooks = import_module(package)
    for device in hooks.devices():
        print(f"{device.name:<8} {device.title}" + (f": {device.problem}" if device.problem else ""))
    return OK


@reporting
def tokenizer_command(args: argparse.Namespace, report: Report, package: str) -> int:
    hooks = import_module(package)
    try:
        print(hooks.keep_tokenizer(args.words))
    except OSError as error:
        report.problem(f"the tokenizer cannot be kept: {error}")
        return UNUSABLE
    return OK


def check_writable(out: str) -> None:
    """Raises ValueError when pictures could not be written to this folder. It is not made before there are any."""
    path = Path(out).absolute()
    try:
        while not _exists(path):
            path = path.parent
        if not path.is_dir():
            raise ValueError(f"--out {out} cannot be written: {path} is no folder")
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise ValueError(f"--out {shortened(out)} cannot be written: {error.strerror or error}") from error


def _exists(path: Path) -> bool:
    """Whether something is there, be it a link that leads nowhere. Raises OSError when nothing ever could be."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _execute(engine: Engine, run: Run, report: Report) -> int:
    earlier = before()
    report.images += earlier.images
    run = replace(run, written={key: tuple(paths) for key, paths in earlier.written.items()})
    plan = engine.plan(run.graph, run.targets)
    progress = ProgressLine(plan, sys.stderr)

    def take(event: Event) -> None:
        progress.take(event)
        match event:
            case Saved():
                _note_saved(event, report, earlier)
            case Finished() if event.peak:
                report.peaks[event.node] = max(event.peak, report.peaks.get(event.node, 0))
            case Failed():
                report.problem(event.message, event.node, event.socket)
                if event.traceback:
                    say(event.traceback)
            case _:
                pass

    with interruptible() as interrupted:
        try:
            idle = engine.execute(plan, run, take, stop=interrupted.is_set)
            engine.cache.close()
        except Broken as broken:
            progress.clear()
            return go_on_elsewhere(engine, broken, report, earlier)
        except Exception as error:
            if not (why := engine.broken(error)):  # found out between two calls
                raise
            progress.clear()
            return go_on_elsewhere(engine, Broken(None, why), report, earlier)
        finally:
            progress.clear()
    report.calls, report.seconds = {"run": idle.run, "cached": idle.cached}, round(idle.seconds, 3)
    say(f"{idle.run} computed, {idle.cached} from the cache, {idle.seconds:.1f} s")
    if interrupted.is_set():
        say("interrupted: the same command goes on from here")
        return INTERRUPTED
    return FAILED if report.problems else OK


@contextmanager
def interruptible() -> Generator[threading.Event]:
    """Set by Ctrl-C, so that what runs comes to a good end; the second time it ends the program."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the second time is meant

    signals = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, signals)


def _note_saved(event: Saved, report: Report, earlier: Before) -> None:
    if event.path not in report.images:
        report.images.append(event.path)
    paths = earlier.written.setdefault(event.key, [])
    if event.path not in paths:
        paths.append(event.path)


def go_on_elsewhere(engine: Engine, broken: Broken, report: Report, earlier: Before) -> int:
    """Leave the run to another process, unless it has come to nothing before."""
    engine.give_up()
    said = broken_sentence(broken.node, broken.why)
    if earlier.may_go_on(broken.node):
        say(f"{said} The command begins anew, and goes on from what it had.")
        begin_anew(replace(earlier, nodes=[*earlier.nodes, broken.node], images=list(report.images)))
    report.problem(
        f"{said} It did so before in this run, so the run ends here; what was computed is kept. A newer driver, "
        "another --precision or another --device may help.",
        broken.node,
    )
    return FAILED


@reporting
def check_command(args: argparse.Namespace, report: Report, package: str) -> int:
    registry = discover(package)
    _list_problems(report, opened(args, registry), registry, None)
    if report.problems:
        return FAILED
    say(f"{args.file}: no problems")
    return OK


def nodes_command(args: argparse.Namespace, report: Report, package: str) -> int:
    types = sorted(discover(package).values(), key=lambda t: t.id)
    print(json.dumps([describe(t) for t in types], indent=1) if args.json else "\n\n".join(map(help_text, types)))
    return OK


@reporting
def export_command(args: argparse.Namespace, report: Report, package: str) -> int:
    registry = discover(package)
    graph = _load(args, registry)
    if args.out:
        workflow.save(places.filed(graph, registry, Path(args.out).absolute().parent), args.out)
    else:
        sys.stdout.buffer.write(workflow.dumps(graph).encode())  # UTF-8, as in a file, whatever the terminal
    return OK


def sinks(graph: Graph, types: Mapping[str, NodeType]) -> tuple[str, ...]:
    """The nodes that are run for their effect. Raises ValueError when there is none."""
    active = {id: types.get(node.type) for id, node in graph.nodes.items() if node.mode == "on"}
    found = tuple(id for id, node_type in active.items() if node_type and node_type.is_sink)
    if not found:
        raise ValueError("there is nothing to run: no node of this workflow saves or shows a result")
    return found


def opened(args: argparse.Namespace, registry: Mapping[str, NodeType]) -> Graph:
    graph = _load(args, registry)
    types = document_types(graph.groups, registry)
    for assignment in args.set:
        try:
            graph = assign(graph, types, assignment)
        except ValueError as error:
            raise ValueError(f"--set {shortened(assignment)}: {error}") from error
    return graph


def _load(args: argparse.Namespace, registry: Mapping[str, NodeType]) -> Graph:
    path = locate(args.file) or args.file
    return places.opened(workflow.load(path), registry, Path(path).absolute().parent)


def _list_problems(
    report: Report, graph: Graph, registry: Mapping[str, NodeType], targets: tuple[str, ...] | None
) -> None:
    for problem in Planner(registry).plan(graph, targets).problems:
        report.problem(problem.message, problem.node, problem.socket)


def describe(node_type: NodeType) -> dict[str, Any]:
    """A node type as JSON."""
    return {
        "id": node_type.id,
        "version": node_type.version,
        "title": node_type.title,
        "doc": node_type.doc,
        "inputs": [_describe_input(i) for i in node_type.inputs],
        "outputs": [{"name": o.name, "type": type_name(o.type)} for o in node_type.outputs],
    }


def _describe_input(spec: Input) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": spec.name, "type": type_name(spec.type), "required": spec.required}
    if spec.default is not REQUIRED:
        entry["default"] = spec.default
    if limits := spec.get(Range):
        entry |= {"min": limits.min, "max": limits.max}
    if choice := spec.get(Choice):
        entry["options"] = choice.options
    return entry


def help_text(node_type: NodeType) -> str:
    """A node type for people: what it is, what goes in, what comes out."""
    lines = [f"{node_type.id}  {node_type.title}", *(f"    {line}".rstrip() for line in node_type.doc.splitlines())]
    for spec in node_type.inputs:
        entry = _describe_input(spec)
        limits = f", {exact(entry['min'])} to {exact(entry['max'])}" if "min" in entry else ""
        options = f", one of {', '.join(entry['options'])}" if "options" in entry else ""
        default = ", linked" if spec.required else "" if spec.default is None else f" = {spec.default!r}"
        lines.append(f"  > {spec.name}: {entry['type']}{limits}{options}{default}")
    lines += [f"  < {o.name}: {type_name(o.type)}" for o in node_type.outputs]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr)
