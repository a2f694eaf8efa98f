"""RelSync, AlignSync and the numbers of AVSyncD's evaluation."""

import numpy as np
import pytest
import torch

from asva_metrics import align_sync, generation_scores, relative_sync, sync_probability


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
    given, expected = parity.inputs, parity.outputs
    scores = generation_scores(
        real_frames=given["gt_fid"],
        fake_frames=given["gen_fid"],
        real_clips=given["gt_fvd"],
        fake_clips=given["gen_fvd"],
        image_audio=given["gen_ia"],
        reference_image_audio=given["gt_first_frame_ia"],
        image_text=given["gen_it"],
        phi=given["gen_phi"],
        reference_phi=given["gt_phi"],
    )
    rows = {"FID": scores.fid, "FVD": scores.fvd}
    parts = {"IA": scores.image_audio, "IT": scores.image_text, "RelSync": scores.relative_sync}
    for name, part in {**parts, "AlignSync": scores.align_sync}.items():
        rows |= {f"{name}_mean": part.mean, f"{name}_std": part.std, f"instance_{name}": part.per_clip}
    # The original writes IA in the place of each clip's IT.
    rows["instance_IT_as_written"] = scores.image_audio.per_clip
    del rows["instance_IT"]
    assert rows.keys() == expected.keys()
    for name, value in rows.items():
        note(value, expected[name])
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-5)


def test_bad_input():
    rng = np.random.default_rng(0)
    frames, clips, cosines = rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 2)), rng.random((4, 3))
    given = {"real_frames": frames, "fake_frames": frames, "real_clips": clips, "fake_clips": clips}
    given |= {"image_audio": cosines, "image_text": cosines, "reference_image_audio": cosines[:, 0]}
    given |= {"phi": cosines[:, 0], "reference_phi": cosines[:, 1]}
    assert generation_scores(**given).fid == pytest.approx(0.0, abs=1e-9)
    for change, text in (
        ({"phi": np.zeros(3)}, "must be of the same 4 clips"),
        ({"image_text": cosines[:, :1]}, "t of at least 2"),
        ({"fake_frames": frames[0]}, r"must have shape \(n, t, d\)"),
        ({"real_clips": clips[:1]}, "at least 2 samples"),
    ):
        with pytest.raises(ValueError, match=text):
            generation_scores(**{**given, **change})
