"""torchmetrics around the pure functions: batches equal the whole, in one process and in two."""

from functools import partial

import numpy as np
import pytest
import torch

from asva_metrics import (
    FID,
    FVD,
    ClipMean,
    EventF1,
    FrechetDistance,
    KernelDistance,
    av_align,
    event_scores,
    frechet_distance,
    kernel_distance,
    match_clips,
    temporal_consistency,
)


@pytest.fixture
def features(generator):
    real = torch.randn(60, 5, generator=generator)
    return real, 2 * torch.randn(50, 5, generator=generator) + 1


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("kind", "function"), [(FrechetDistance, frechet_distance), (KernelDistance, kernel_distance)])
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_batches_equal_the_whole(kind, function, features):
    metric = kind(5)
    for real, side in zip((True, False), features, strict=True):
        for batch in side.split([1, 0, 9, len(side) - 10]):
            metric.update(batch, real=real)
    assert float(metric.compute()) == pytest.approx(function(*features[::-1]), rel=1e-9)
    metric.reset()
    with pytest.raises(ValueError, match="at least 2 samples, got 0"):
        metric.compute()


@pytest.mark.parametrize(("kind", "function"), [(FrechetDistance, frechet_distance), (KernelDistance, kernel_distance)])
def test_two_processes_equal_one(kind, function, features):
    real, fake = features
    first, second = kind(5), kind(5)
    first.update(real[:20], real=True)
    first.update(fake, real=False)
    second.update(real[20:], real=True)  # has seen nothing of the other side
    first.merge_state(second)
    assert float(first.compute()) == pytest.approx(function(fake, real), rel=1e-9)


def worker(rank, path, features, answers):
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    real, fake = features
    results = []
    for metric in (FrechetDistance(5), KernelDistance(5)):
        metric.update(real[rank::2], real=True)
        if rank == 0:
            metric.update(fake, real=False)
        results.append(float(metric.compute()))
    clips = ClipMean()
    if rank == 1:
        clips.update([0.25, 0.75])
    results.append(float(clips.compute()))
    answers[rank] = results
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_under_torch_distributed(features, tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        answers = manager.dict()
        torch.multiprocessing.spawn(worker, (str(tmp_path / "meeting"), features, answers), nprocs=2)
        expected = [frechet_distance(*features[::-1]), kernel_distance(*features[::-1]), 0.5]
        for rank in range(2):
            assert answers[rank] == pytest.approx(expected, rel=1e-9)


def test_statistics_can_be_saved_and_go_on(features, tmp_path):
    metric = FrechetDistance(5)
    metric.update(features[0], real=True)
    metric.statistics(real=True).save(tmp_path / "real.npz")
    state = metric.statistics(real=True)
    np.testing.assert_allclose(state.covariance(), np.cov(features[0].double().numpy().T), rtol=1e-10)
    assert metric.statistics(real=False).count == 0


def test_forward_gives_the_batch_and_keeps_the_whole(features):
    real, fake = features
    metric = ClipMean(temporal_consistency)
    assert float(metric(real[:4])) == pytest.approx(temporal_consistency(real[:4]))
    metric(fake[:7])
    expected = (temporal_consistency(real[:4]) + temporal_consistency(fake[:7])) / 2
    assert float(metric.compute()) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_undefined_clips_are_counted():
    metric = ClipMean(partial(av_align, rule="2023"))
    metric.update([0.5], [0.5], 6.0)
    metric.update([], [], 6.0)
    assert (float(metric.compute()), metric.num_undefined) == (1.0, 1)
    assert ClipMean().compute().isnan()


def test_events_of_batches():
    predicted, true = [[0.1, 0.5], [], [0.9]], [[0.12], [0.3], [0.9, 1.0]]
    metric = EventF1(0.05)
    metric.update(predicted[:1], true[:1])
    metric.update(predicted[1:], true[1:])
    expected = event_scores(match_clips(predicted, true, 0.05))
    for name, value in metric.compute().items():
        assert float(value) == pytest.approx(getattr(expected, name))


def test_pictures_pass_the_network(generator):
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d((32, 64)), torch.nn.Flatten(2), torch.nn.Flatten(1))
    first = torch.nn.Sequential(network, torch.nn.Linear(3 * 2048, 2048))
    images = torch.randint(0, 256, (3, 3, 24, 24), dtype=torch.uint8, generator=generator)
    metric = FID(first)
    assert metric.features(images).shape == (3, 2048)
    with pytest.raises(ValueError, match="must give features"):
        FVD(torch.nn.Flatten(1)).update(torch.zeros(1, 9, 3, 8, 8), real=True)
    broken = FrechetDistance(5)
    with pytest.raises(ValueError, match="must give finite features"):
        broken.update(torch.full((2, 5), torch.nan), real=True)


@pytest.mark.parametrize("variant", ["stylegan-v", "cd-fvd"])
def test_variant_is_kept(features, variant):
    metric = FrechetDistance(5, variant=variant)
    for real, side in zip((True, False), features, strict=True):
        metric.update(side, real=real)
    assert float(metric.compute()) == pytest.approx(frechet_distance(*features[::-1], variant=variant), rel=1e-9)


def test_agrees_with_torchmetrics_on_the_same_features(generator):
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import poly_mmd

    theirs = FrechetInceptionDistance(feature=torch.nn.Flatten(), input_img_size=(3, 2, 2), normalize=True)
    theirs.set_dtype(torch.float64)
    ours, kernels = FrechetDistance(12, variant="pytorch-fid"), KernelDistance(12)
    sides = [torch.rand(n, 3, 2, 2, generator=generator, dtype=torch.float64) * f for n, f in ((40, 1.0), (40, 0.7))]
    for real, images in zip((True, False), sides, strict=True):
        theirs.update(images, real=real)
        ours.update(images.flatten(1), real=real)
        kernels.update(images.flatten(1), real=real)
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), rel=1e-6)
    flat = [images.flatten(1) for images in sides]
    assert float(kernels.compute()) == pytest.approx(float(poly_mmd(*flat)), rel=1e-9)
