"""Guidance over text and sound."""

import pytest
import torch

from asva_dit import MTVGuidance, mtv_guidance


@pytest.fixture
def predictions(generator):
    return {name: torch.randn(2, 3, generator=generator) for name in ("none", "text", "full")}


@pytest.mark.parametrize(("text", "audio"), [(5.0, 4.0), (3.5, 3.5), (1.0, 6.0), (6.0, 1.0), (1.0, 1.0), (0.0, 2.0)])
def test_it_is_the_formula(predictions, text, audio):
    n, t, f = predictions.values()
    guidance = MTVGuidance(text, audio)
    needed = {name: predictions[name] for name in guidance.branches}
    torch.testing.assert_close(mtv_guidance(needed, guidance), n + text * (t - n) + audio * (f - t))
    assert sum(guidance.weights.values()) == pytest.approx(1)


def test_what_does_not_count_is_not_predicted():
    assert MTVGuidance().branches == ("none", "full")  # the published joint scale
    assert MTVGuidance(5.0, 4.0).branches == ("none", "text", "full")
    assert MTVGuidance(1.0, 4.0).branches == ("text", "full")
    assert MTVGuidance(1.0, 1.0).branches == ("full",)


def test_what_each_branch_hears():
    guidance = MTVGuidance(1.0, 4.0, silence="off")
    assert [guidance.hears(name) for name in guidance.branches] == ["off", "given"]
    assert MTVGuidance().hears("none") == "zeros"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": float("nan")}, "`text` must be a finite number"),
        ({"audio": float("inf")}, "`audio` must be a finite number"),
        ({"silence": "quiet"}, "`silence` must be one of"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MTVGuidance(**arguments)


def test_a_missing_branch_is_an_error(predictions):
    predictions.pop("none")
    with pytest.raises(ValueError, match=r"got none for \['none'\]"):
        mtv_guidance(predictions, MTVGuidance())
