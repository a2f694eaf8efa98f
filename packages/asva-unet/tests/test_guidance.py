"""Guidance with three conditions."""

import doctest

import pytest
import torch

import asva_unet.guidance
from asva_unet import Guidance, guided_prediction
from asva_unet.guidance import BRANCHES, combine, rescale_guidance

SCALES = [
    (7.5, 2.0, 9.0),
    (7.5, 7.5, 7.5),
    (1.0, 1.0, 3.0),
    (1.0, 2.0, 1.0),
    (3.0, 1.0, 1.0),
    (0.0, 1.0, 2.0),
    (1, 1, 1),
]


def outputs(batch=2):
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(batch, 3, 2, 2, 2, generator=generator, dtype=torch.float64) for name in BRANCHES}


def naive(given, text, image, audio, rescale):
    """The original's formula with every branch, sample by sample."""
    none, picture, words, full = (given[name] for name in ("none", "image", "image_text", "full"))
    guided = none + image * (picture - none) + text * (words - picture) + audio * (full - words)
    result = []
    for one, reference in zip(guided, full, strict=True):
        fixed = one * (reference.std() / one.std())
        result.append(rescale * fixed + (1 - rescale) * one)
    return torch.stack(result)


def table(given):
    """A network that answers from a table and notes what it was asked."""
    asked = []

    def predict(sample, timestep, names):
        asked.append(names)
        assert len(sample) == len(timestep) == sum(len(given[name]) for name in names)
        return torch.cat([given[name] for name in names])

    return predict, asked


@pytest.mark.parametrize("rescale", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("scales", SCALES)
def test_equals_the_formula(scales, batched, rescale):
    given = outputs()
    predict, _ = table(given)
    sample, timestep = given["full"], torch.zeros(2)
    found = guided_prediction(predict, sample, timestep, Guidance(*scales, rescale), batched=batched)
    torch.testing.assert_close(found, naive(given, *scales, rescale), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("scales", "branches"),
    [
        ((7.5, 2.0, 9.0), ("none", "image", "image_text", "full")),
        ((1.0, 1.0, 3.0), ("image_text", "full")),
        ((1.0, 1.0, 1.0), ("full",)),
        ((None, None, None), ("full",)),
        ((3.0, 1.0, 3.0), ("image", "full")),
        ((2.0, 2.0, 2.0), ("none", "full")),
        ((1.0, 2.0, 2.0), ("none", "image", "image_text", "full")),
    ],
)
def test_branches_that_cancel_are_not_evaluated(scales, branches):
    predict, asked = table(outputs())
    guided_prediction(predict, torch.zeros(2, 1), torch.zeros(2), Guidance(*scales, 0.0))
    assert asked == [(name,) for name in branches]
    assert sum(Guidance(*scales, 0.0).weights.values()) == pytest.approx(1.0)


def test_all_branches_in_one_call():
    predict, asked = table(outputs())
    guided_prediction(predict, torch.zeros(2, 1), torch.zeros(2), Guidance(7.5, 2.0, 9.0), batched=True)
    assert asked == [("none", "image", "image_text", "full")]


def test_rescale_needs_the_full_branch():
    assert Guidance(3.0, 1.0, 0.0, rescale=0.0).branches == ("image", "image_text")
    assert Guidance(3.0, 1.0, 0.0, rescale=0.5).branches == ("image", "image_text", "full")


def test_rescaled_prediction_has_the_reference_deviation():
    given = outputs()
    rescaled = rescale_guidance(5 * given["none"], given["full"], 1.0)
    torch.testing.assert_close(rescaled.std((1, 2, 3, 4)), given["full"].std((1, 2, 3, 4)), rtol=1e-9, atol=1e-9)


def test_rescaling_stays_finite_where_nothing_varies():
    given = outputs()
    still = given["none"].clone()
    still[0] = 0.25
    rescaled = rescale_guidance(still, given["full"], 0.7)
    assert torch.equal(rescaled[0], still[0])
    torch.testing.assert_close(rescaled[1:], rescale_guidance(given["none"], given["full"], 0.7)[1:], rtol=0, atol=0)
    untrained = {name: torch.zeros(2, 3) for name in BRANCHES}
    assert torch.equal(combine(untrained, Guidance(7.5, 2.0, 7.5, 0.7)), torch.zeros(2, 3))


def test_one_branch_is_returned_as_it_is():
    full = torch.ones(1, 2)
    assert combine({"full": full}, Guidance(1, 1, 1, 0.7)) is full


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": float("nan")}, "`text` must be a finite"),
        ({"audio": float("inf")}, "`audio`"),
        ({"rescale": 1.5}, "`rescale`"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Guidance(**arguments)


def test_docstring_examples():
    assert doctest.testmod(asva_unet.guidance, extraglobs={"torch": torch}).failed == 0


def test_a_scale_may_differ_from_frame_to_frame():
    draw = torch.Generator().manual_seed(0)
    outputs = {name: torch.randn(2, 3, 1, 2, 2, generator=draw) for name in ("none", "image", "image_text", "full")}
    scales = torch.tensor([1.0, 2.0, 5.0])
    varied = combine(outputs, Guidance(3.0, 2.0, scales, rescale=0.0))
    for frame, scale in enumerate(scales.tolist()):
        expected = combine(outputs, Guidance(3.0, 2.0, scale, rescale=0.0))
        torch.testing.assert_close(varied[:, frame], expected[:, frame], rtol=1e-5, atol=1e-6)
    some = Guidance(1.0, 1.0, scales).at(torch.tensor([[0, 2], [1, 2]]))
    assert some.audio.tolist() == [[1.0, 5.0], [2.0, 5.0]] and some.text == 1.0
    assert Guidance(1.0, 1.0, torch.ones(3), rescale=0.0).branches == ("full",), "a scale of 1 everywhere is none"
    for wrong in (torch.tensor([1.0, float("nan")]), torch.ones(1, 1, 1)):
        with pytest.raises(ValueError, match="`audio` must be finite numbers"):
            Guidance(1.0, 1.0, wrong)
