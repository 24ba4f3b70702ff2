"""What follows from the kind of a card: whether it can compute, and in what. None of these cards is needed."""

import re
from dataclasses import replace

import pytest

from nodes.backend import cards, devices, precision, trial
from nodes.backend.cards import Card, Dtype, Kind
from nodes.backend.trial import Trial
from tests.examples import each

CUDA_13 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120")
CUDA_12 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
ROCM = ("gfx906", "gfx90a", "gfx942", "gfx1030", "gfx1100", "gfx12-generic")
CPU = Card("cpu", "cpu", "the processor")

RIGHT: dict[str, float] = {"float32": 4e-4, "float16": 5e-4, "bfloat16": 4e-3}
QUICK: dict[str, float] = {"float32": 1.0, "float16": 0.4, "bfloat16": 0.4}
SOUND = Trial(RIGHT, QUICK)
SLOW_HALVES = Trial(RIGHT, {"float32": 1.0, "float16": 1.6, "bfloat16": 3.0})


def nvidia(title: str, arch: str, built_for: tuple[str, ...] = CUDA_12, index: int = 0) -> Card:
    return Card("cuda", f"cuda:{index}", title, 8 << 30, arch, built_for)


def amd(title: str, arch: str) -> Card:
    return Card("rocm", "cuda:0", title, 16 << 30, arch, ROCM)


HOPPER = nvidia("NVIDIA H100 80GB HBM3", "sm_90")
TURING = nvidia("NVIDIA GeForce RTX 2060", "sm_75")
SMALL_TURING = nvidia("NVIDIA GeForce GTX 1660 SUPER", "sm_75")
PASCAL = nvidia("NVIDIA GeForce GTX 1080", "sm_61")
VOLTA = nvidia("Tesla V100-SXM2-16GB", "sm_70")


@each(
    ("arch", "built_for", "runs"),
    [
        ("sm_86", CUDA_13, True),
        ("sm_89", CUDA_13, True),  # binaries of a generation run on its later chips
        ("sm_61", CUDA_13, False),
        ("sm_70", CUDA_13, False),
        ("sm_61", CUDA_12, True),
        ("sm_121", CUDA_13, True),
        ("sm_130", CUDA_13, True),  # compiled by the driver
        ("sm_120", CUDA_12, False),
        ("sm_90", ("sm_90a",), True),
        ("sm_91", ("sm_90a",), False),
        ("sm_103", ("sm_100f",), True),
        ("sm_86", (), True),  # a build that does not say is tried
    ],
)
def test_a_card_is_refused_when_the_build_of_torch_has_no_kernels_for_it(
    arch: str, built_for: tuple[str, ...], runs: bool
):
    why = cards.refusal(nvidia("A card", arch, built_for))
    assert (why is None) == runs
    assert runs or (why is not None and arch in why and built_for[0] in why)


@pytest.mark.parametrize(
    ("arch", "runs"), [("gfx1100", True), ("gfx1201", True), ("gfx803", False), ("gfx1031", False)]
)
def test_amd_chips_are_looked_for_by_their_own_names(arch: str, runs: bool):
    assert (cards.refusal(amd("AMD Radeon", arch)) is None) == runs


def test_the_driver_compiles_only_where_there_is_no_binary():
    newer = nvidia("Of next year", "sm_130", CUDA_13)
    assert [cards.compiles_at_start(card) for card in (newer, HOPPER, TURING)] == [True, False, False]


@each(
    ("card", "tried", "good"),
    [
        (HOPPER, SOUND, {"float32", "float16", "bfloat16"}),
        (HOPPER, SLOW_HALVES, {"float32", "float16", "bfloat16"}),  # so fast that only launches were timed
        (VOLTA, SLOW_HALVES, {"float32", "float16"}),
        (TURING, SOUND, {"float32", "float16", "bfloat16"}),
        (TURING, SLOW_HALVES, {"float32", "float16"}),
        (SMALL_TURING, SOUND, {"float32", "bfloat16"}),  # float16 is black now and then: no trial clears it
        (SMALL_TURING, SLOW_HALVES, {"float32"}),
        (PASCAL, SOUND, {"float32", "float16", "bfloat16"}),
        (PASCAL, SLOW_HALVES, {"float32"}),
        (HOPPER, Trial({"float32": 4e-4, "bfloat16": 4e-3}, QUICK), {"float32", "bfloat16"}),  # float16 gave NaN
        (HOPPER, Trial({**RIGHT, "bfloat16": 0.3}, QUICK), {"float32", "float16"}),
        (amd("AMD Radeon RX 7900 XTX", "gfx1100"), SOUND, {"float32", "float16", "bfloat16"}),
        (amd("AMD Radeon RX 6800", "gfx1030"), SOUND, {"float32", "float16"}),
        (Card("mps", "mps", "Apple's GPU"), SOUND, {"float32"}),
        (Card("xpu", "xpu:0", "Intel Arc A770", native=frozenset({"float32", "float16"})), SOUND,
         {"float32", "float16"}),
        (Card("xpu", "xpu:0", "Intel Arc B580", native=cards.SINGLE | cards.HALVES), SOUND,
         {"float32", "float16", "bfloat16"}),
    ],
)  # fmt: skip
def test_a_card_is_good_in_what_its_kind_and_its_self_test_allow(card: Card, tried: Trial, good: set[Dtype]):
    assert trial.good(card, tried) == good


@each(
    ("need", "good", "made"),
    [
        ("half", {"float32", "float16", "bfloat16"}, "float16"),
        ("half", {"float32", "bfloat16"}, "bfloat16"),
        ("half", {"float32"}, "float32"),
        ("bfloat16", {"float32", "float16", "bfloat16"}, "bfloat16"),
        ("bfloat16", {"float32", "float16"}, "float32"),  # Z-Image on a V100: float16 would overflow
        ("full", {"float32", "float16", "bfloat16"}, "float32"),
    ],
)
def test_a_network_gets_the_best_precision_that_it_is_safe_in(need: precision.Need, good: set[Dtype], made: Dtype):
    assert precision.chosen(need, "auto", good) == made


@each("good", [set[Dtype](), {"float32", "float16", "bfloat16"}])
@each("need", list(precision.SAFE))
@each("wish", precision.WISHES)
def test_no_wish_takes_a_network_where_it_overflows(need: precision.Need, wish: precision.Wish, good: set[Dtype]):
    made = precision.chosen(need, wish, good)
    assert made == "float32" or made in precision.SAFE[need]
    if wish in precision.SAFE[need] or wish == "float32":
        assert made == wish


# Choosing a card --------------------------------------------------------------------------------------


def nobody_fails(card: Card) -> Trial:
    return SOUND


def test_auto_takes_the_first_card_that_can_compute_and_says_why_not_the_others(caplog: pytest.LogCaptureFixture):
    old = nvidia("NVIDIA GeForce GTX 980", "sm_52", CUDA_13)
    broken = nvidia("Broken", "sm_86", CUDA_13, 1)
    wrong = nvidia("Wrong", "sm_86", CUDA_13, 2)
    sound = nvidia("Sound", "sm_86", CUDA_13, 3)
    said = {broken: Trial(failure="CUDA error: no kernel image"), wrong: Trial({"float32": 0.5}, QUICK)}
    found = devices.chosen("auto", (old, broken, wrong, sound, CPU), lambda card: said.get(card, SOUND))
    assert found == sound
    assert [record.args[0] for record in caplog.records if record.args] == ["cuda:0", "cuda:1", "cuda:2"]
    assert "what it computes is not what the processor computes" in caplog.text


def test_auto_ends_at_the_processor():
    assert devices.chosen("auto", (HOPPER, CPU), lambda card: Trial(failure="it hangs")) == CPU


def test_a_card_is_chosen_by_its_number():
    two = (replace(HOPPER, name="cuda:0"), replace(TURING, name="cuda:1"), CPU)
    assert devices.chosen("cuda:1", two, nobody_fails).title == TURING.title
    assert devices.chosen("cuda", two, nobody_fails).title == HOPPER.title
    assert devices.chosen("cpu", two, nobody_fails) == CPU


def test_without_a_number_the_first_of_a_kind_that_can_compute_is_meant():
    two = (nvidia("Old", "sm_52", CUDA_13), nvidia("New", "sm_86", CUDA_13, 1), CPU)
    assert devices.chosen("cuda", two, nobody_fails).title == "New"
    with pytest.raises(ValueError, match=r"cuda:0 cannot be used: Old \(sm_52\) cannot run this build of torch"):
        devices.chosen("cuda:0", two, nobody_fails)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tpu", "device must be auto or one of cuda, xpu, mps, cpu, also with a number, cuda:1; got 'tpu'"),
        ("cuda:x", "got 'cuda:x'"),
        ("cuda:7", "this machine has no cuda:7 device that torch can use; it has cuda:0, cpu"),
        ("xpu", "this machine has no xpu device that torch can use; it has cuda:0, cpu"),
    ],
)
def test_a_device_that_is_not_there_is_a_sentence(name: str, sentence: str):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        devices.chosen(name, (HOPPER, CPU), nobody_fails)


def test_a_wish_for_what_a_card_computes_wrongly_is_a_sentence():
    no_half = Trial({"float32": 4e-4}, QUICK)
    assert devices.chosen_dtype(SMALL_TURING, "half", "auto", lambda card: no_half) == "float32"
    with pytest.raises(ValueError, match="GTX 1660 SUPER does not compute in float16, or wrongly; choose another"):
        devices.chosen_dtype(SMALL_TURING, "half", "float16", lambda card: no_half)
    assert devices.chosen_dtype(SMALL_TURING, "half", "float16", nobody_fails) == "float16"


# Keys -------------------------------------------------------------------------------------------------


@each(
    ("card", "wish", "beginning"),
    [
        (HOPPER, "auto", ("cuda float16 bfloat16", "NVIDIA H100 80GB HBM3", "sm_90")),
        (HOPPER, "float32", ("cuda float32 ieee", "NVIDIA H100 80GB HBM3", "sm_90")),
        (HOPPER, "bfloat16", ("cuda bfloat16", "NVIDIA H100 80GB HBM3", "sm_90")),
        (HOPPER, "float16", ("cuda float16 bfloat16", "NVIDIA H100 80GB HBM3", "sm_90")),
        (amd("AMD Radeon RX 6800", "gfx1030"), "auto", ("cuda float16 float32", "AMD Radeon RX 6800", "gfx1030")),
        (Card("mps", "mps", "Apple's GPU", driver="macOS 15.1"), "auto", ("mps float32", "Apple's GPU", "macOS 15.1")),
    ],
)
def test_the_key_has_the_precisions_and_the_kind_of_card(card: Card, wish: precision.Wish, beginning: tuple[str, ...]):
    said = [part for part in devices.described(card, wish, nobody_fails) if not part.startswith("cuDNN")]
    assert tuple(said) == beginning


def test_two_cards_of_a_kind_have_one_key_and_a_driver_that_compiles_is_in_it():
    second = replace(HOPPER, name="cuda:1", bytes=1)
    assert devices.described(second, "auto", nobody_fails) == devices.described(HOPPER, "auto", nobody_fails)
    compiled = replace(HOPPER, driver="driver 13000")
    assert "driver 13000" in devices.described(compiled, "auto", nobody_fails)


def test_a_setting_that_chooses_other_kernels_is_in_the_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert "NVIDIA_TF32_OVERRIDE=0" in devices.described(HOPPER, "auto", nobody_fails)


def test_only_another_wish_changes_the_key_of_the_processor():
    plain, wished = devices.described(CPU, "auto", nobody_fails), devices.described(CPU, "bfloat16", nobody_fails)
    assert plain[0].removesuffix(" packed") == "cpu float32"
    assert wished[0].removesuffix(" packed") == "cpu bfloat16"
    assert devices.described(CPU, "float32", nobody_fails) == plain


@each("kind", ["cuda", "rocm", "xpu", "mps", "cpu"])
def test_every_kind_of_card_has_a_name_that_can_be_asked_for(kind: Kind):
    name = "cuda" if kind == "rocm" else kind
    assert name in devices.KINDS
