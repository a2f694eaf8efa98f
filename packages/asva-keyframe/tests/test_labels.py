"""Training targets and loss of the localizer."""

import numpy as np
import pytest
import torch

from asva_keyframe import curve_label, localizer_loss, mel_label, scale_curve


def naive_label(curve, num_frames):
    at = np.linspace(0, 1, num_frames)
    values = np.interp(at, np.linspace(0, 1, len(curve)), curve)
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("length", [2, 47, 60, 197])
def test_label_is_interpolated_and_scaled(length):
    curve = np.random.default_rng(length).random(length)
    np.testing.assert_allclose(curve_label(curve).numpy(), naive_label(curve, 48), atol=2e-5)
    if length > 2:
        np.testing.assert_allclose(curve_label(curve, drop_first=True).numpy(), naive_label(curve[1:], 48), atol=2e-5)


def test_labels_of_a_batch_are_labels_of_each():
    curves = torch.rand(3, 50)
    torch.testing.assert_close(curve_label(curves), torch.stack([curve_label(c) for c in curves]))


def test_constant_curve_gives_zeros():
    assert scale_curve(torch.full((2, 5), 3.0)).abs().max() == 0


def test_bad_curves():
    with pytest.raises(ValueError, match="at least 2 values"):
        curve_label([1.0])
    with pytest.raises(ValueError, match="finite"):
        curve_label([1.0, float("nan"), 2.0])


def test_mel_label_ignores_padding():
    mel = torch.rand(2, 1, 128, 204)
    other = mel.clone()
    other[..., 198:] = 100.0
    torch.testing.assert_close(mel_label(mel), mel_label(other))
    expected = naive_label(mel[0, 0].mean(0)[1:198].numpy(), 48)
    np.testing.assert_allclose(mel_label(mel)[0].numpy(), expected, atol=1e-5)


def test_loss_by_hand():
    prediction, curve, mel = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 2.0]])
    assert localizer_loss(prediction, curve).item() == pytest.approx(0.5)
    assert localizer_loss(prediction, curve, mel).item() == pytest.approx(0.5 + 0.3 * 2.0)
    with pytest.raises(ValueError, match="`curve` must have the prediction's shape"):
        localizer_loss(prediction, curve[:, :1])
