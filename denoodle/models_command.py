"""`denoodle models`: the files that people have for their nodes, found, searched and fetched."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from denoodle.headless import FAILED, OK, Command, Report, reporting
from nodegraph.domain import Domain, Remote, Stock
from nodegraph.failure import explain
from nodegraph.formats import workflow
from nodegraph.formats.package import discover
from nodegraph.group_type import document_types
from nodegraph.library.download import Fetch, fetched, place_for, unfinished
from nodegraph.library.entry import Entry
from nodegraph.library.hashing import hashes
from nodegraph.library.library import Library
from nodegraph.library.missing import Missing, missing
from nodegraph.library.offers import offers
from nodegraph.library.scan import update
from nodegraph.library.store import library_folder
from nodegraph.planning.fingerprints import locate
from nodegraph.program import offline

EVERY = 0.2
"""Seconds between two words about how far it is."""


def add(commands: Any) -> None:
    """The command among the others."""
    models = commands.add_parser("models", help="find, search, hash and fetch the files that nodes take")
    acts = models.add_subparsers(dest="models_act", required=True, metavar="ACT")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", dest="as_json", help="print it as JSON")

    def command(name: str, act: Callable[..., int], help: str) -> argparse.ArgumentParser:
        made = acts.add_parser(name, parents=[common], help=help)
        made.set_defaults(act=act)
        return made

    command("scan", scan_command, "make the index what the folders are now")
    find = command("find", find_command, "list files, those that have all words of a text")
    find.add_argument("text", nargs="*", metavar="WORD", help="in any order; parts of words too")
    find.add_argument("--kind", action="append", default=[], help="only of this kind, such as lora")
    find.add_argument("--family", action="append", default=[], help="only of this family, such as sdxl")
    find.add_argument("--starred", action="store_true", help="only those with a star")
    find.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
    folders = command("folders", folders_command, "list the folders that are looked in")
    folders.add_argument("--add", action="append", default=[], metavar="FOLDER", help="look in this one too")
    folders.add_argument("--remove", action="append", default=[], metavar="FOLDER", help="look there no more")
    folders.add_argument("--offers", action="store_true", help="list those of other programs on this machine")
    hash = command("hash", hash_command, "print the sha256 of files, worked out once")
    hash.add_argument("files", nargs="+", metavar="FILE")
    lacking = command("missing", missing_command, "list the files that a workflow names and that are not there")
    lacking.add_argument("file", metavar="WORKFLOW")
    download = command("download", download_command, "fetch a file from the model hub")
    download.add_argument("address", metavar="ADDRESS", help="of a file or a model: an https address, or ORG/NAME")
    download.add_argument("--to", metavar="PLACE", help="the file or folder that it becomes; else the one for its kind")
    download.add_argument("--look", action="store_true", help="only say what is there: size, licence, hash")


def plainly(command: Command) -> Command:
    """What the system or the disk refuses is a sentence as well."""

    @functools.wraps(command)
    def act(args: argparse.Namespace, report: Report, package: str) -> int:
        try:
            return command(args, report, package)
        except OSError as error:
            raise ValueError(explain(error)[0]) from error

    return reporting(act)


def _stock(package: str) -> Stock:
    return (discover(package).domain or Domain()).stock


def _told(what: str, unit: int = 1) -> Callable[[int, int], None]:
    """Says on standard error how far it is, where that is a terminal."""
    last = [0.0]

    def told(done: int, whole: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and (now - last[0] > EVERY or done == whole):
            last[0] = now
            end = "\n" if done == whole else ""
            print(f"\r{what}: {done // unit:,} of {whole // unit:,}", end=end, file=sys.stderr, flush=True)

    return told


@plainly
def scan_command(args: argparse.Namespace, report: Report, package: str) -> int:
    stock = _stock(package)
    library = Library(library_folder(), stock.families)
    roots = library.roots()
    if not roots:
        raise ValueError("no folders to look in; name one with `denoodle models folders --add FOLDER`")
    begin = time.monotonic()
    found = update(library_folder(), roots, stock, _told("files"), package)
    counts, troubles = library.counts(), library.troubles()
    library.close()
    if args.as_json:
        print(json.dumps({**asdict(found), "counts": asdict(counts), "trouble": troubles}))
        return OK
    for sentence in troubles.values():
        print(sentence, file=sys.stderr)
    kinds = ", ".join(f"{count:,} {stock.kinds.get(kind, kind).lower()}" for kind, count in counts.kinds.items())
    done = f"{found.looked:,} looked at, {found.gone:,} gone, {time.monotonic() - begin:.1f} s"
    print(f"{found.entries:,} files{f': {kinds}' if kinds else ''}; {done}")
    return OK


@plainly
def find_command(args: argparse.Namespace, report: Report, package: str) -> int:
    stock = _stock(package)
    library = Library(library_folder(), stock.families)
    found = library.search(" ".join(args.text), args.kind, args.family, args.starred, limit=max(args.limit, 0))
    library.close()
    if args.as_json:
        print(json.dumps([asdict(entry) for entry in found]))
    else:
        for entry in found:
            print(f"{entry.path}\n    {_about(entry, stock)}")
    return OK


def _about(entry: Entry, stock: Stock) -> str:
    """What there is to be said of one, in a line."""
    kind = stock.kinds.get(entry.kind, entry.kind)
    words = f"words: {', '.join(entry.words)}" if entry.words else ""
    parts = (kind, entry.family_title, entry.layout, f"{entry.size:,} bytes", entry.title, words, entry.note)
    star = "★ " if entry.starred else ""
    return star + " · ".join(filter(None, (*parts, entry.problem)))


@plainly
def folders_command(args: argparse.Namespace, report: Report, package: str) -> int:
    stock = _stock(package)
    library = Library(library_folder(), stock.families)
    for folder in args.add:
        if not Path(folder).expanduser().is_dir():
            raise ValueError(f"--add {folder}: there is no such folder")
    removed = {str(Path(folder).expanduser().absolute()) for folder in args.remove}
    roots = library.roots()
    if strange := removed - set(roots):
        raise ValueError(f"--remove {sorted(strange)[0]}: it is not among the folders that are looked in")
    if args.add or args.remove:
        library.set_roots([*(root for root in roots if root not in removed), *args.add])
        roots = library.roots()
    library.close()
    offered = offers(stock, roots) if args.offers else ()
    if args.as_json:
        print(json.dumps({"folders": roots, "offers": [asdict(offer) for offer in offered]}))
        return OK
    for root in roots:
        print(root)
    for offer in offered:
        print(f"{offer.title}: {offer.files:,} files")
        for folder in offer.folders:
            print(f"    {folder}")
    return OK


@plainly
def hash_command(args: argparse.Namespace, report: Report, package: str) -> int:
    paths = [str(Path(file).expanduser().absolute()) for file in args.files]
    for path in paths:
        if not Path(path).is_file():
            raise ValueError(f"{path} is no file")
    found = hashes(library_folder(), paths, _told("megabytes", 1_000_000))
    if args.as_json:
        print(json.dumps(found))
    else:
        for path in paths:
            print(f"{found[path]}  {path}")
    return OK


@plainly
def missing_command(args: argparse.Namespace, report: Report, package: str) -> int:
    registry = discover(package)
    stock = (registry.domain or Domain()).stock
    graph = workflow.load(locate(args.file) or args.file)
    library = Library(library_folder(), stock.families)
    gone = missing(graph, document_types(graph.groups, registry).get, stock, library)
    library.close()
    if args.as_json:
        print(json.dumps([_missing(one) for one in gone]))
    else:
        for one in gone:
            print(f"{one.port.node}.{one.port.socket}: {one.name or 'no file was chosen'}")
            for candidate in one.candidates:
                print(f"    {candidate.reason}: {candidate.entry.path}")
            if one.address:
                print(f"    denoodle models download {one.address}")
    return FAILED if gone else OK


def _missing(one: Missing) -> dict[str, Any]:
    candidates = [{"path": candidate.entry.path, "reason": candidate.reason} for candidate in one.candidates]
    told = {"group": one.group, "node": one.port.node, "parameter": one.port.socket, "path": one.path, "name": one.name}
    return {**told, "address": one.address, "candidates": candidates}


@plainly
def download_command(args: argparse.Namespace, report: Report, package: str) -> int:
    stock = _stock(package)
    if stock.hub is None:
        raise ValueError("there is no hub from which files for these nodes can be fetched")
    if why := offline():
        raise ValueError(why)
    remotes = stock.hub.ask(stock.hub.address(args.address))
    if args.look or len(remotes) != 1:
        return _show(remotes, as_json=args.as_json, asked=args.look)
    (remote,) = remotes
    library = Library(library_folder(), stock.families)
    to = args.to or place_for(remote, stock, library.roots())
    library.close()
    if not to:
        raise ValueError("no folder to put it into; say where with --to, or name one with `models folders --add`")
    if begun := unfinished(to, remote):
        print(f"{begun:,} bytes are there from before", file=sys.stderr)
    wanted = Fetch(remote, str(Path(to).expanduser().absolute()), str(library_folder()), package)
    path = fetched(stock.hub, wanted, _told("megabytes", 1_000_000))
    print(json.dumps({**asdict(remote), "path": str(path)}) if args.as_json else path)
    return OK


def _show(remotes: tuple[Remote, ...], *, as_json: bool, asked: bool) -> int:
    """What there is to choose from. It is a failure when somebody wanted it fetched."""
    if as_json:
        print(json.dumps([asdict(remote) for remote in remotes]))
    else:
        for remote in remotes:
            gated = " · after agreeing to its terms" if remote.gated else ""
            licence = remote.licence or "no licence named"
            print(f"{remote.address}\n    {remote.name} · {remote.kind or 'of unknown kind'} · ", end="")
            print(f"{remote.size:,} bytes · {licence}{gated}")
            if not remote.is_folder:
                print(f"    sha256 {remote.files[0].sha256 or 'is not known'}")
    if not asked:
        print("name one of these files" if remotes else "there are no files of weights there", file=sys.stderr)
    return OK if asked else FAILED
