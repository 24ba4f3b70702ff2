"""Where the T5 tokenizer of a text encoder is taken from; a file of weights has none inside.

What the user chose counts first, then what lies in the checkpoint's folder, then what was chosen or downloaded earlier,
of which the program keeps a copy. Nothing is downloaded unless a person asks for it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from nodegraph.failure import Missing
from nodegraph.formats.files import reason, write_atomic
from nodegraph.program import data_folder
from nodes.backend import unigram
from nodes.backend.network import Told, counting, online

REPOSITORY = "google/t5-v1_1-xxl"
"""On the model hub: the encoder of Stable Diffusion 3 and Flux, by those who trained it."""

ROWS = 32_128
"""Words that the published encoders have room for: Raffel et al. 2020 (arXiv:1910.10683), rounded up."""

TIMEOUT = 10.0
"""Seconds until the hub has to answer."""

REMEDY = "t5_tokenizer"
"""What planning calls the way to get one."""

CHOOSE = (
    "choose a tokenizer.json of T5 (Stable Diffusion 3 has it in the folder tokenizer_3, Flux in tokenizer_2), or the "
    f"spiece.model of {REPOSITORY}, with `denoodle tokenizer FILE`"
)


def remembered() -> Path:
    """The folder of the tokenizer that was chosen or downloaded last; it need not be there."""
    return data_folder() / "tokenizers" / "t5"


def find(chosen: Path | None, beside: Path | None) -> Path:
    """The folder or the file of the tokenizer, for `unigram.read`.

    chosen: by the user, a file or a folder; None when nothing is. beside: the folder in the checkpoint where its
    tokenizer may be; None for a checkpoint of one file. Raises ValueError with what to choose when there is none.
    """
    if chosen is not None:
        if not unigram.files(chosen):
            raise ValueError(f"there is no T5 tokenizer in {chosen}; {CHOOSE}")
        return chosen
    for place in filter(None, (beside, remembered())):
        if unigram.files(place):
            return place
    raise Missing(
        f"T5's tokenizer is missing, which a file of weights does not hold: {CHOOSE}, or have it downloaded "
        "(2 MB) with `denoodle tokenizer --download`",
        REMEDY,
        [str(place) for place in (beside, remembered()) if place],
    )


def remember(place: Path, vocab_size: int) -> Path:
    """Keep a copy of a tokenizer for later, in the place of an earlier one; where it is now.

    Raises ValueError when it is none for a text encoder with vocab_size rows, OSError when it cannot be kept.
    """
    unigram.read(place, vocab_size)
    words, *settings = unigram.files(place)
    name = "spiece.model" if words.suffix == ".model" else "tokenizer.json"
    # The words last: without them there is no tokenizer.
    kept = [*((unigram.SETTINGS, path.read_bytes()) for path in settings), (name, words.read_bytes())]
    folder = remembered()
    folder.mkdir(parents=True, exist_ok=True)
    for other in (*unigram.FILES, unigram.SETTINGS):
        (folder / other).unlink(missing_ok=True)
    for name, data in kept:
        write_atomic(folder / name, data)
    return folder


def download(vocab_size: int, told: Told = lambda there, whole: None) -> Path:
    """Fetch the tokenizer (up to 2 MB) from the model hub and remember it; only for a person who asked for it.

    Without a network it takes half a minute until that is certain: the hub's library tries again several times.
    Raises ValueError with what went wrong, and what to do instead.
    """
    with TemporaryDirectory() as folder:
        return remember(_fetched(Path(folder), told), vocab_size)


def _fetched(folder: Path, told: Told) -> Path:
    from huggingface_hub import hf_hub_download  # pyright: ignore[reportUnknownVariableType]  # its types have gaps
    from huggingface_hub.errors import RemoteEntryNotFoundError

    bar = counting(told)
    for name in unigram.FILES:
        try:
            with online():
                # token=False: who asks is nobody's business.
                found = hf_hub_download(
                    REPOSITORY, name, local_dir=folder, token=False, etag_timeout=TIMEOUT, tqdm_class=bar
                )
                return Path(found)
        except RemoteEntryNotFoundError:
            continue
        except Exception as error:  # those of the hub, of whatever it speaks HTTP with, and of its storage
            why = reason(error.__cause__ or error)
            raise ValueError(f"T5's tokenizer could not be downloaded from {REPOSITORY} ({why}); {CHOOSE}") from error
    raise ValueError(f"{REPOSITORY} on the model hub has neither {' nor '.join(unigram.FILES)}; {CHOOSE}")
