"""Memory told before a run: lifetimes on the meta device, every method, what is chosen, what is refused."""

import numpy as np
import pytest
import torch
from fixtures.methods import METHODS
from torch import nn

from asva_pipelines import Ledger, Prediction, choose, free_memory, predict, skeleton
from asva_pipelines.memory.numbers import Numbers
from asva_pipelines.memory.workspace import fused_attention
from asva_weights import ModelError

NAMES = [*(name for name, method in METHODS.items() if method.needs_model), "mtv-as-released"]
SIZE = {"height": 16, "width": 16}
KB = 1024


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")


def test_tensors_count_while_they_live():
    given = meta(256)
    with Ledger() as ledger:
        first = given + 1  # 1 KB
        second = first * 2
        del first
        third = second[:128] - 1  # a view holds no more than what it looks at
        assert ledger.live == 1.5 * KB
        del second, third
        assert ledger.live == 0
    assert ledger.peak == 2 * KB


def test_no_memory_stands_behind_what_is_counted():
    given = meta(2**40)
    with Ledger() as ledger:
        held = given + 1
    assert ledger.peak == 4 * 2**40 and held.is_meta


def test_the_most_is_told_by_part():
    parts = {"small": nn.Linear(8, 8, device="meta"), "wide": nn.Linear(8, 2048, device="meta")}
    with torch.no_grad(), Ledger(parts=parts) as ledger:
        parts["small"](meta(4, 8))
        parts["wide"](meta(4, 8))
    # The weights, of which a layer takes a view, are not counted.
    assert ledger.peaks["small"] < ledger.peaks["wide"] == ledger.peak == 4 * 2048 * 4 + 4 * 8 * 4


def test_attention_is_counted_as_the_device_would_do_it():
    query, value = meta(1, 2, 512, 8), meta(1, 2, 512, 16)
    with Ledger("cpu") as fused:
        torch.nn.functional.scaled_dot_product_attention(query, query, query)
    with Ledger("cpu") as written:  # values of another width: the CPU's fused kernel does not take them
        torch.nn.functional.scaled_dot_product_attention(query, query, value)
    scores = 2 * 512 * 512 * 4
    assert fused.peak < scores / 4 and written.peak > scores
    assert fused_attention(query, query, query, None) and not fused_attention(query, query, value, None)


def test_workspaces_of_the_cpu_are_counted_and_those_of_a_gpu_are_not():
    layer, given = nn.Conv2d(16, 16, 3, padding=1, device="meta"), meta(4, 16, 64, 64)
    with torch.no_grad(), Ledger("cpu") as cpu:
        layer(given)
    with torch.no_grad(), Ledger("cuda") as gpu:
        layer(given)
    size = 4 * 16 * 64 * 64 * 4
    assert gpu.peak == size and cpu.peak >= 2 * size


def test_the_heap_of_the_cpu_does_not_shrink():
    small, large = meta(2**20), meta(2**24)
    for device, kept in (("cpu", 2.5 * 2**22), ("cuda", 0)):
        with Ledger(device) as ledger:
            pair = [small + 1, small + 1]
            del pair
            held = large + 1
        assert ledger.peak == held.nbytes + kept


def test_small_tensors_keep_their_numbers():
    weights = meta(3)
    with Ledger():
        places = torch.tensor([3, 5, 8]).to("meta")
        assert (places + 1).tolist() == [4, 6, 9] and bool((places.diff() > 0).all())
        assert places[1].item() == 5 and places.cpu().numpy().sum() == 16
        assert (places * weights).cpu().tolist() == [0.0, 0.0, 0.0]  # of which nobody knows the numbers
        assert meta(100, 100).cpu().numpy().shape == (100, 100)
    assert Numbers().answer(torch.ops.aten.add.Tensor, (), {}) is NotImplemented


@pytest.mark.parametrize("method", NAMES)
def test_a_skeleton_has_every_weight_and_none_of_them(method_model, make_pipeline, method):
    bare = skeleton(method_model(method), dtype=torch.bfloat16)
    for name, part in bare.components.items():
        if isinstance(part, nn.Module):
            assert {value.device.type for value in part.parameters()} <= {"meta"}, name
            assert not part.training
    assert bare.config.num_frames > 0 and bare.dtype == torch.bfloat16


@pytest.mark.parametrize("method", NAMES)
def test_every_method_is_foreseen_and_larger_videos_need_more(method_model, method):
    folder, double = method_model(method), {"height": 64, "width": 64}
    small, large = predict(folder, **SIZE), predict(folder, **double)
    half = predict(folder, **double, dtype=torch.bfloat16)
    assert small.weights == large.weights > half.weights > 0
    if not method.startswith("mtv"):  # whose small model is mostly ears
        assert small.tensors < large.tensors > half.tensors
    assert large.peak >= large.runtime + large.weights + large.tensors


def test_offload_leaves_the_largest_part_or_layer(method_model):
    folder = method_model("avsyncd")
    ways = [predict(folder, **SIZE, device="cuda", offload=way) for way in ("none", "model", "sequential")]
    assert ways[0].weights > ways[1].weights > ways[2].weights > 0
    assert ways[0].peak > ways[1].peak > ways[2].peak and ways[0].runtime == 0


def test_what_fits_is_not_touched(method_model):
    choice = choose(method_model("avsyncd"), **SIZE, device="cpu", free=2**40)
    assert (choice.dtype, choice.offload, choice.decode_chunk_size, choice.tiling) == ("float32", "none", 8, False)
    assert choice.fits and str(choice) == "float32 on cpu"


@pytest.fixture
def needs(monkeypatch):
    """In place of rehearsals: 100 for 64x64 in float32, less by what is spared."""

    def invented(folder, method, *, height, width, dtype, tiling, arguments, **others):
        del folder, method, others
        pixels = 100 - 20 * (arguments.get("decode_chunk_size") == 1) - 20 * tiling
        peak = pixels * height * width // 64**2 // (2 if dtype == torch.bfloat16 else 1)
        return Prediction(runtime=0, weights=0, tensors=peak, frames=0, loading=0)

    monkeypatch.setattr("asva_pipelines.memory.choice.predict", invented)


@pytest.mark.parametrize(
    ("free", "chunk", "tiling", "dtype"),
    [(100, 8, False, "float32"), (80, 1, False, "float32"), (60, 1, True, "float32"), (50, 8, False, "bfloat16")],
)
def test_what_does_not_fit_is_spared_step_by_step(needs, method_model, free, chunk, tiling, dtype):
    found = choose(method_model("avsyncd"), height=64, width=64, device="cpu", free=free)
    assert (found.decode_chunk_size, found.tiling, found.dtype) == (chunk, tiling, dtype)
    assert ("1 frame decoded at once" in str(found)) == (chunk == 1) and ("in tiles" in str(found)) == tiling


def test_a_refusal_names_what_would_fit(needs, method_model):
    folder = method_model("avsyncd")
    told = r"`--size 512x512` needs about 0\.0 GB and 0\.0 GB are free on cpu: pass `--size 128x128`"
    with pytest.raises(ModelError, match=told):
        choose(folder, height=512, width=512, device="cpu", dtype="float32", free=500)
    with pytest.raises(ModelError, match="take a smaller model, or a machine with more"):
        choose(folder, height=64, width=64, device="cpu", free=1)


def test_a_precision_that_was_asked_for_is_kept_and_another_is_named(needs, method_model):
    with pytest.raises(ModelError, match="pass `--dtype bfloat16 --offload none`"):
        choose(method_model("avsyncd"), height=64, width=64, device="cpu", dtype="float32", free=50)


def test_free_memory_can_be_overruled(monkeypatch):
    assert free_memory() > 0
    monkeypatch.setenv("ASVA_MEMORY", "1.5")
    assert free_memory("cuda") == 1_500_000_000
    monkeypatch.setenv("ASVA_MEMORY", "much")
    with pytest.raises(ModelError, match=r"`ASVA_MEMORY` must be a positive number of gigabytes, got 'much'\."):
        free_memory()


def test_the_command_refuses_before_it_loads(asva, inputs, method_model, monkeypatch, tmp_path):
    monkeypatch.setenv("ASVA_MEMORY", "0.1")
    ran = asva(
        "sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", method_model("avsyncd"),
        "-o", tmp_path / "out.mp4",
    )  # fmt: skip
    assert ran.code == 1 and "needs about" in ran.complaint and "0.1 GB are free" in ran.complaint
    assert not list(tmp_path.glob("out*"))


def test_a_forecast_that_fails_says_so_and_the_run_goes_on(asva, inputs, method_model, monkeypatch, tmp_path):
    monkeypatch.setenv("ASVA_MEMORY", "3")  # so little that one is made

    def broken(*_, **__):
        raise RuntimeError("Tensor on device meta")

    monkeypatch.setattr("asva_pipelines.memory.prediction.rehearse", broken)
    ran = asva(
        "sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", method_model("i2vd"),
        "--steps", 1, "--device", "cpu", "--seed", 3, "-o", tmp_path / "out.mp4",
    )  # fmt: skip
    assert ran.code == 0 and (tmp_path / "out.mp4").exists()
    assert "memory could not be predicted (RuntimeError: Tensor on device meta); the run goes on" in ran.err


def test_the_command_says_and_records_what_was_chosen(asva, inputs, method_model, monkeypatch, tmp_path):
    import json

    monkeypatch.setenv("ASVA_MEMORY", "3")
    ran = asva(
        "sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", method_model("avsyncd"),
        "--steps", 1, "--device", "cpu", "-o", tmp_path / "out.mp4",
    )  # fmt: skip
    assert ran.code == 0 and "predicted peak memory" in ran.err and "float32 on cpu" in ran.err
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert record["device"]["offload"] == "none"
    assert np.isclose(record["memory"]["predicted_bytes"], record["memory"]["measured_bytes"], rtol=0.6)


@pytest.mark.parametrize(
    "memory, words, worked_out", [("20", (), False), ("3", (), True), ("20", ("--size", "64x64"), True)]
)
def test_small_models_need_no_forecast_where_there_is_plenty(
    asva, inputs, small_model, monkeypatch, tmp_path, memory, words, worked_out
):
    monkeypatch.setenv("ASVA_MEMORY", memory)
    ran = asva(
        "sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", small_model,
        "--steps", 1, "--device", "cpu", "-o", tmp_path / "out.mp4", *words,
    )  # fmt: skip
    assert ran.code == 0 and ("predicted peak memory" in ran.err) == worked_out == (", predicted" in ran.err)


def test_a_file_in_the_precision_that_is_wanted_is_not_counted_beside_its_part(method_model):
    stored, other = (predict(method_model("avsyncd"), **SIZE, dtype=kind) for kind in (torch.float32, torch.bfloat16))
    assert stored.loading <= stored.weights
    assert other.loading > other.weights
