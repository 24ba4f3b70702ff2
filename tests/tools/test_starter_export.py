"""The exported starter model, read back by the libraries' own classes, and the measures of its pictures."""

import json
import math
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from tools.starter import autoencoder, denoiser, export, pixel, report, text
from tools.starter.checkpoint import save_tensors
from tools.starter.concepts import CONCEPTS
from tools.starter.stages import Run

pytestmark = pytest.mark.slow  # of what trains the starter model: test_starter_training tries a training by default


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small untrained model's folder."""
    folder = tmp_path_factory.mktemp("models") / "starter"
    folder.mkdir()
    (folder / "NOTICE").write_text("credits")
    vocabulary = text.learn_vocabulary(text.word_weights([]), 300)
    export.export(
        folder,
        denoiser.build_unet(channels=(16, 16)),
        autoencoder.build_autoencoder(channels=(16, 16, 16, 16)),
        text.build_text_encoder(vocabulary),
        text.build_tokenizer(vocabulary),
        vocabulary,
    )
    return folder


def test_the_stock_pipeline_draws_with_it(exported):
    pipeline = report.load_pipeline(exported)
    assert isinstance(pipeline, StableDiffusionPipeline)
    images = report.generate(pipeline, ["a cat on a blue background"], num_steps=2)
    assert images.shape == (1, 3, 128, 128)
    assert torch.isfinite(images).all()


def test_stock_classes_load_each_part(exported):
    UNet2DConditionModel.from_pretrained(str(exported / "unet"), local_files_only=True)
    AutoencoderKL.from_pretrained(str(exported / "vae"), local_files_only=True)
    tokenizer = CLIPTokenizer.from_pretrained(exported / "tokenizer", local_files_only=True)
    config = json.loads((exported / "text_encoder" / "config.json").read_text())
    assert len(tokenizer) == config["vocab_size"]
    assert tokenizer.model_max_length == text.CONTEXT


def test_files_and_tensors_have_the_published_names(exported):
    assert {path.name for path in (exported / "tokenizer").iterdir()} == {
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "tokenizer_config.json",
    }
    tensors = load_file(exported / "text_encoder" / "model.safetensors")
    assert all(name.startswith("text_model.") for name in tensors)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_exporting_again_keeps_other_files(exported):
    assert (exported / "NOTICE").read_text() == "credits"
    assert not list(exported.parent.glob(".*"))


def test_an_exported_model_can_be_trained_further(exported, tmp_path):
    vocabulary = text.learn_vocabulary(text.word_weights([]), 300)
    export.adopt(exported, tmp_path, vocabulary)
    denoiser.build_unet(channels=(16, 16)).load_state_dict(load_file(tmp_path / "start_denoiser.safetensors"))
    autoencoder.build_autoencoder(channels=(16, 16, 16, 16)).load_state_dict(load_file(tmp_path / "vae.safetensors"))
    text.build_text_encoder(vocabulary).load_state_dict(load_file(tmp_path / "text_encoder.safetensors"))
    assert {path.stem for path in tmp_path.glob("*.done")} == {"autoencoder", "decoder", "text"}


def test_the_parts_beside_a_model_can_be_trained_further(exported, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(exported, model)
    export.export_network(model / "pixel" / "unet", pixel.build_unet())
    export.adopt(model, tmp_path, text.learn_vocabulary(text.word_weights([]), 300))
    run = Run(tmp_path, torch.device("cpu"))
    started, exported_one = run.begin(pixel.build_unet(), "pixel"), pixel.build_unet().half().float()
    assert torch.equal(started.conv_in.weight, exported_one.conv_in.weight)


def test_a_model_of_other_words_lends_its_text_encoder_as_a_start(exported, tmp_path):
    export.adopt(exported, tmp_path, text.learn_vocabulary(text.word_weights(["giraffe"]), 301))
    assert not (tmp_path / "text_encoder.safetensors").exists()
    assert not (tmp_path / "text.done").exists()
    known = json.loads((tmp_path / "start_vocabulary.json").read_text())
    assert known == text.learn_vocabulary(text.word_weights([]), 300).numbers
    assert (tmp_path / "start_text.safetensors").is_file()


def test_a_folder_without_a_model_is_not_adopted(tmp_path):
    with pytest.raises(ValueError, match="is missing"):
        export.adopt(tmp_path, tmp_path, text.learn_vocabulary({"cat": 1}))


@pytest.mark.slow
def test_the_report_measures_every_part_of_a_model(exported, sprites, tmp_path, monkeypatch):
    concepts = CONCEPTS[4:7]
    icons = {concept.icon for concept in concepts}
    few = {name: sprite for name, sprite in sprites.items() if name.rpartition("/")[2] in icons}
    for name in ("sprites", "held_out"):
        save_tensors(tmp_path / f"{name}.safetensors", few)
    for name in ("SINGLES", "RICH", "COLOURED", "STYLED", "PAIRS", "SEVERAL", "PLACED", "SWEPT_SINGLES", "SWEPT_PAIRS"):
        monkeypatch.setattr(report, name, 2)
    for name, value in (("NUM_STEPS", 1), ("STEPS_SWEEP", (1,)), ("GUIDANCE_SWEEP", (3.0,)), ("SPEED_REPEATS", 1)):
        monkeypatch.setattr(report, name, value)
    subject = report.Subject(exported, Run(tmp_path, torch.device("cpu"), concepts))
    figures = {part: measure_part(subject) for part, measure_part in report.PARTS.items()}
    assert all(math.isfinite(value) for part in figures.values() for value in part.values())
    assert figures["repeatability"]["two_runs_identical"] == 1
    assert figures["another_artist"]["noun_top1"] == 1  # here the other artist's drawings are the trained ones
    assert 0 <= figures["two_objects"]["both_in_order"] <= figures["two_objects"]["both_present"] <= 1
