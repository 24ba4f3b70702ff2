"""The exported starter model, read back by the libraries' own classes, and the measures of its pictures."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from tools.starter import autoencoder, denoiser, export, measure, report, text
from tools.starter.concepts import BACKGROUNDS, CONCEPTS


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
        autoencoder.build_autoencoder(channels=(16, 16, 16)),
        text.build_text_encoder(vocabulary),
        text.build_tokenizer(vocabulary),
        vocabulary,
    )
    return folder


def test_the_stock_pipeline_draws_with_it(exported):
    pipeline = report.load_pipeline(exported)
    assert isinstance(pipeline, StableDiffusionPipeline)
    images = report.generate(pipeline, ["a cat on a blue background"], num_steps=2)
    assert images.shape == (1, 3, 64, 64)
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
    export.adopt(exported, tmp_path)
    denoiser.build_unet(channels=(16, 16)).load_state_dict(load_file(tmp_path / "start.safetensors"))
    autoencoder.build_autoencoder(channels=(16, 16, 16)).load_state_dict(load_file(tmp_path / "vae.safetensors"))
    vocabulary = text.learn_vocabulary(text.word_weights([]), 300)
    text.build_text_encoder(vocabulary).load_state_dict(load_file(tmp_path / "text_encoder.safetensors"))


def test_a_folder_without_a_model_is_not_adopted(tmp_path):
    with pytest.raises(ValueError, match="is missing"):
        export.adopt(tmp_path, tmp_path)


def test_a_training_drawing_is_retrieved_as_itself(sprites):
    drawings = measure.place_drawings(sprites, CONCEPTS)
    centred = measure.place_drawings(sprites, CONCEPTS, centred=True)
    number = list(BACKGROUNDS).index("blue")
    images = centred.on(measure.named_colours()[number])[:12]
    found = measure.retrieve(images, centred.concept[:12], torch.full((12,), number), drawings)
    assert found.figures()["noun_top1"] == 1
    assert found.figures()["noun_top1_blind_to_colour"] == 1
    assert found.nearest.max() < 1e-3  # cdist in float32


def test_a_border_of_a_named_colour_is_recognised():
    images = measure.named_colours()[:, :, None, None].expand(-1, -1, 64, 64).clone()
    images[:, :, 20:40, 20:40] = 0.5
    assert torch.equal(measure.background_guesses(images), torch.arange(len(BACKGROUNDS)))
