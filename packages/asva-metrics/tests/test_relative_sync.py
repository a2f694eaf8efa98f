"""RelSync, AlignSync and the numbers of AVSyncD's evaluation."""

import numpy as np
import pytest
import torch

from asva_metrics import align_sync, frechet_distance, relative_sync, sync_probability


def test_a_perfect_copy_gives_a_half_and_a_quarter():
    phi = np.array([3.0, -50.0, 400.0])
    relative = relative_sync(phi, phi)
    np.testing.assert_allclose(relative, 0.5)
    np.testing.assert_allclose(align_sync(relative, np.full((3, 4), 0.3), np.full(3, 0.3)), 0.25)


def test_relative_sync_does_not_overflow():
    np.testing.assert_array_equal(relative_sync([1000.0, -1000.0], [0.0, 0.0]), [1.0, 0.0])
    with pytest.raises(ValueError, match="`reference` must be finite"):
        relative_sync([1.0], [np.nan])
    with pytest.raises(ValueError, match="must have the shape of `reference`"):
        relative_sync([1.0, 2.0], [1.0])


def test_sync_probability():
    np.testing.assert_allclose(sync_probability(np.zeros((2, 5))), 0.2)
    phi = torch.tensor([[0.0, 2.0, 1.0]])
    np.testing.assert_allclose(sync_probability(phi, temperature=0.1), torch.softmax(10 * phi.double(), 1)[:, 1])
    with pytest.raises(ValueError, match="with k odd"):
        sync_probability(np.zeros((2, 4)))


@pytest.mark.filterwarnings("ignore::asva_metrics.SmallSampleWarning")
@pytest.mark.parity("asva/metrics_*.json")
def test_matches_the_official_evaluation(parity, note):
    given, expected = (
        {name: value.numpy() for name, value in side.items()} for side in (parity.inputs, parity.outputs)
    )
    # The first frame, which is given to the model, counts neither for FID nor for IA, IT and AlignSync.
    real_frames, fake_frames = (given[name][:, 1:].reshape(-1, given[name].shape[-1]) for name in ("gt_fid", "gen_fid"))
    cosines, relative = given["gen_ia"][:, 1:], relative_sync(given["gen_phi"].ravel(), given["gt_phi"].ravel())
    per_clip = {
        "IA": cosines.mean(axis=1),
        "IT": given["gen_it"][:, 1:].mean(axis=1),
        "RelSync": relative,
        "AlignSync": align_sync(relative, cosines, given["gt_first_frame_ia"].ravel()),
    }
    rows = {
        "FID": frechet_distance(fake_frames, real_frames, variant="avsync"),
        "FVD": frechet_distance(given["gen_fvd"], given["gt_fvd"], variant="avsync"),
    }
    for name, values in per_clip.items():
        rows |= {f"{name}_mean": values.mean(), f"{name}_std": values.std(ddof=1), f"instance_{name}": values}
    # The original writes IA in the place of each clip's IT.
    rows["instance_IT_as_written"] = per_clip["IA"]
    del rows["instance_IT"]
    assert rows.keys() == expected.keys()
    for name, value in rows.items():
        note(value, expected[name])
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-5)


def test_shapes_must_fit():
    for cosines, first in ((np.ones((4, 3)), np.ones(3)), (np.ones(4), np.ones(4)), (np.ones((4, 0)), np.ones(4))):
        with pytest.raises(ValueError, match=r"`image_audio` must have shape \(n, t\) for n = 4"):
            align_sync(np.ones(4), cosines, first)
    with pytest.raises(ValueError, match="`image_audio` must be finite"):
        align_sync(np.ones(1), [[np.nan]], np.ones(1))
