"""The model hub huggingface.co, or the one that HF_ENDPOINT names: what is there, and its bytes.

Everything goes through the hub's own library, with the token of the hub's own login and no other. Nothing is asked
before a person asks for it; while `nodegraph.program.offline` says so, nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from nodegraph.domain import Fetched, Remote, RemoteFile
from nodegraph.formats.files import reason
from nodes.backend import kinds, labels
from nodes.backend.families.family import Found
from nodes.backend.headers import PICKLES
from nodes.backend.network import counting, online
from nodes.backend.parts import INDEX
from nodes.backend.strict_json import quoted

HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
NOT_MODELS = ("datasets", "spaces", "buckets", "api", "docs", "models", "collections", "papers", "settings", "blog")
"""First parts of paths on the hub that no organisation is called."""

NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)
WEIGHTS = (".safetensors", ".gguf")
BESIDE = (".json", ".txt", ".model", ".safetensors")
"""Endings of what a folder that is one thing is made of."""

MOST_FILES = 200
"""Of a folder that is one thing."""

CHUNK = 1 << 20
"""Bytes that are written at once, and lost when a connection breaks; by itself the library takes ten times as many."""

TIMEOUT = 10.0
"""Seconds until the hub has to answer."""


class Address(NamedTuple):
    """repo: ORGANISATION/NAME. file: with its folders; "" for all that is there."""

    repo: str
    revision: str = "main"
    file: str = ""

    def __str__(self) -> str:
        """As it is written down."""
        place = f"https://huggingface.co/{self.repo}"
        revision = quote(self.revision, safe="")
        if self.file:
            return f"{place}/resolve/{revision}/{quote(self.file)}"
        return place if self.revision == "main" else f"{place}/tree/{revision}"


def parse(text: str) -> Address:
    """An address as people copy it: of a page or a file on the hub, ORGANISATION/NAME, or hf://.

    Raises ValueError when it is none, names anything but a model, or leads elsewhere.
    """
    text = text.strip()
    if text.startswith("hf://"):
        found = _from_path(text.removeprefix("hf://").removeprefix("models/"))
    elif "://" in text:
        found = _from_url(text)
    elif text.count("/") == 1:
        found = Address(text)
    else:
        raise ValueError(f"{quoted(text)} is no address on the hub: it looks like https://{HOSTS[0]}/NAME/MODEL")
    _check(text, found)
    return found


def _from_url(text: str) -> Address:
    elsewhere = ValueError(f"{quoted(text)} is no address on {HOSTS[0]}, from where alone files are fetched")
    try:
        url = urlsplit(text)
        at_hub = url.scheme == "https" and url.hostname in HOSTS and not (url.port or url.username or url.password)
    except ValueError:  # a host or a port that none can have
        raise elsewhere from None
    if not at_hub:
        raise elsewhere
    organisation, name, *rest = [*map(unquote, url.path.strip("/").split("/")), "", ""][:200]
    rest = rest[:-2] if rest[-2:] == ["", ""] else rest
    match [part for part in rest if part]:
        case []:
            return Address(f"{organisation}/{name}")
        case ["blob" | "resolve" | "raw" | "tree", revision]:
            return Address(f"{organisation}/{name}", revision)
        case ["blob" | "resolve" | "raw", revision, *file]:
            return Address(f"{organisation}/{name}", revision, "/".join(file))
        case _:
            raise ValueError(f"{quoted(text)} names neither a model on the hub nor a file of one")


def _from_path(path: str) -> Address:
    organisation, _, rest = path.partition("/")
    name, _, file = rest.partition("/")
    name, _, revision = name.partition("@")
    return Address(f"{organisation}/{name}", unquote(revision) or "main", file)


def _check(text: str, found: Address) -> None:
    """Raises ValueError unless every part can be what it stands for."""
    organisation, _, name = found.repo.partition("/")
    bad = organisation.lower() in NOT_MODELS or not (NAME.fullmatch(organisation) and NAME.fullmatch(name))
    parts = found.file.split("/") if found.file else []
    strange = any(part in ("", ".", "..") or not part.isprintable() or "\\" in part for part in parts)
    revision = found.revision
    odd = not revision.isprintable() or ".." in revision or revision.startswith(("/", "-")) or len(revision) > 200
    if bad or strange or odd or ".." in found.repo or "--" in found.repo:
        raise ValueError(f"{quoted(text)} names neither a model on the hub nor a file of one")


class ModelHub:
    """See `nodegraph.domain.Hub`."""

    title = "Hugging Face"

    def address(self, text: str) -> str:
        return str(parse(text))

    def ask(self, address: str) -> tuple[Remote, ...]:
        found = parse(address)
        with online(), _sentences(found):
            info = _api().model_info(found.repo, revision=found.revision, files_metadata=True, timeout=TIMEOUT)
            remotes = [*_remotes(found, info)]
            return tuple(_looked_at(remote, found) for remote in remotes) if found.file else tuple(remotes)

    def pull(self, remote: Remote, file: RemoteFile, into: BinaryIO, begin: int, heard: Fetched) -> None:
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.file_download import http_get  # pyright: ignore[reportUnknownVariableType]

        found = parse(remote.address)
        with online(), _sentences(found):
            constants.DOWNLOAD_CHUNK_SIZE = CHUNK
            http_get(
                hf_hub_url(found.repo, file.name, revision=remote.commit, endpoint=_endpoint()),
                into,
                resume_size=begin,
                headers=_headers(),
                expected_size=file.size,
                tqdm_class=counting(lambda there, _: _heard(file, there, heard)),
            )


def _heard(file: RemoteFile, there: int, heard: Fetched) -> None:
    if there > file.size:
        raise ValueError(f"the hub sends more of {file.name} than the {file.size:,} bytes that it had said")
    heard(there)


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint())


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers  # pyright: ignore[reportUnknownVariableType]

    return {**build_hf_headers(), "Accept-Encoding": "identity"}  # or sizes and places would be those of the packed


def _remotes(found: Address, info: Any) -> Iterator[Remote]:
    """What can be chosen: the file that is named, or the whole and every file of weights. Raises ValueError."""
    files = {file.name: file for file in map(_file, info.siblings or ())}
    commit, licence, gated = info.sha or found.revision, _licence(info), bool(info.gated)
    page = f"{_endpoint()}/{found.repo}"

    def made(place: Address, name: str, parts: Iterable[RemoteFile], kind: str) -> Remote:
        return Remote(str(place), name, tuple(parts), commit, page, licence, gated, kind)

    if found.file:
        if found.file not in files:
            raise ValueError(f"{found.repo} on the hub has no file {found.file}")
        yield made(found, PurePosixPath(found.file).name, [_one(files[found.file])], _kind(found))
        return
    if INDEX in files:
        parts = [file for name, file in sorted(files.items()) if _is_part(name)]
        if len(parts) <= MOST_FILES:
            yield replace(made(found, found.repo.rpartition("/")[2], parts, kinds.CHECKPOINT), is_folder=True)
    for name in sorted(files):
        if name.lower().endswith(WEIGHTS):
            place = found._replace(file=name)
            yield made(place, PurePosixPath(name).name, [_one(files[name])], _kind(place))


def _one(file: RemoteFile) -> RemoteFile:
    suffix = PurePosixPath(file.name).suffix.lower()
    if suffix in PICKLES:
        raise ValueError(f"{file.name} is a pickle, which can run any program when it is read; it is not fetched")
    if suffix not in WEIGHTS:
        raise ValueError(f"{file.name} is no file of weights ({' or '.join(WEIGHTS)})")
    return file


def _is_part(name: str) -> bool:
    """Whether a file belongs to a folder of the diffusers layout: settings, words, and weights in one precision."""
    path = PurePosixPath(name)
    if len(path.parts) == 1:
        return name == INDEX
    return len(path.parts) == 2 and path.suffix in BESIDE and ".fp16." not in name and ".bf16." not in name


def _file(sibling: Any) -> RemoteFile:
    stored: Any = sibling.lfs
    sha256: str = stored.sha256 if stored else ""
    return RemoteFile(sibling.rfilename, sibling.size or 0, sha256, "" if stored else sibling.blob_id or "")


def _licence(info: Any) -> str:
    card: dict[str, Any] = info.card_data.to_dict() if info.card_data else {}
    said = (card.get("license_name") if card.get("license") == "other" else None) or card.get("license")
    tagged = next((tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")), "")
    return str(said) if isinstance(said, str) else tagged


def _kind(place: Address) -> str:
    """As far as the folders that a file lies in, or its name, tell it."""
    *folders, name = place.file.lower().split("/")
    found = next((kinds.PLACES[folder] for folder in reversed(folders) if folder in kinds.PLACES), "")
    return found or (kinds.LORA if "lora" in name or "lora" in place.repo.lower() else "")


def _looked_at(remote: Remote, found: Address) -> Remote:
    """With what the table of tensors says, which is the first part of a file."""
    if not found.file.lower().endswith(".safetensors"):
        return remote
    from huggingface_hub.errors import HfHubHTTPError, SafetensorsParsingError

    try:
        about = _api().parse_safetensors_file_metadata(found.repo, found.file, revision=remote.commit, timeout=TIMEOUT)
        there = Found(Path(found.file), shapes={name: tuple(t.shape) for name, t in about.tensors.items()})
        kind = labels.kind_of(there)
    except (SafetensorsParsingError, HfHubHTTPError, ValueError):  # one that is given to some alone can be told of
        return remote
    return replace(remote, kind=kind, families=tuple(labels.families_of(there, kind)))


@contextmanager
def _sentences(found: Address) -> Generator[None]:
    """What the hub's library raises, as a sentence."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{_endpoint()}/{found.repo}"
    try:
        yield
    except GatedRepoError as error:
        raise ValueError(
            f"{found.repo} is given to those who agree to its terms: do so on {page}, then log in with `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no model {found.repo} on the hub, or it is not for everybody; if it is for you, log in with "
            "`hf auth login`"
        ) from error
    except (RevisionNotFoundError, EntryNotFoundError) as error:
        raise ValueError(f"{found.repo} on the hub has no {found.file or 'files'} in {found.revision}") from error
    except ValueError:
        raise
    except Exception as error:  # those of the hub, of whatever it speaks HTTP with, and of its storage
        raise ValueError(f"{found.repo} could not be asked for ({reason(error.__cause__ or error)})") from error
