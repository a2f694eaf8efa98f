"""Projection of tapped features into one sequence of timed tokens."""

import pytest
import torch

from asva_audio import AudioTap, MultiFeatureEncoder

SOURCES = {"imagebind": {"width": 6, "layers": [0, 2]}, "beats": {"width": 4, "layers": [1]}}
TIMES = {
    "imagebind": torch.tensor([[0.0, 0.2], [0.1, 0.3], [0.2, 0.4]], dtype=torch.float64),
    "beats": torch.tensor([[0.0, 0.3], [0.2, 0.5]], dtype=torch.float64),
}


def features(generator, batch=2) -> dict[str, list[torch.Tensor]]:
    shapes = {"imagebind": [(batch, 3, 6)] * 2, "beats": [(batch, 2, 4)]}
    return {name: [torch.randn(s, generator=generator) for s in each] for name, each in shapes.items()}


def test_every_tap_has_a_linear_layer_of_its_own(generator):
    taps, given = MultiFeatureEncoder(SOURCES, output_dim=5), features(generator)
    timed = taps(given, TIMES)
    assert taps.taps == (AudioTap("beats", 1, 4), AudioTap("imagebind", 0, 6), AudioTap("imagebind", 2, 6))
    first, second, third = (taps.projections[tap.source][str(tap.layer)] for tap in taps.taps)
    expected = (first(given["beats"][0]), second(given["imagebind"][0]), third(given["imagebind"][1]))
    torch.testing.assert_close(timed.tokens, torch.cat(expected, dim=1), rtol=0, atol=0)
    torch.testing.assert_close(timed.times, torch.cat((TIMES["beats"], TIMES["imagebind"], TIMES["imagebind"])))


def test_features_may_be_normalised_first(generator):
    taps, given = MultiFeatureEncoder(SOURCES, output_dim=5, normalize=True), features(generator)
    scaled = {name: [100 * feature + 7 for feature in each] for name, each in given.items()}
    torch.testing.assert_close(taps(given, TIMES).tokens, taps(scaled, TIMES).tokens, rtol=0, atol=1e-3)


def test_the_default_is_the_papers():
    with torch.device("meta"):
        taps = MultiFeatureEncoder()
    assert taps.layers == {"imagebind": [3, 7, 11], "beats": [3, 7, 11]}
    assert sum(parameter.numel() for parameter in taps.parameters()) == 6 * (768 * 1024 + 1024)


def test_save_and_load_give_the_same_network(tmp_path, generator):
    taps, given = MultiFeatureEncoder(SOURCES, output_dim=5), features(generator)
    taps.save_pretrained(tmp_path)
    again = MultiFeatureEncoder.from_pretrained(tmp_path)
    assert again.taps == taps.taps
    torch.testing.assert_close(again(given, TIMES).tokens, taps(given, TIMES).tokens, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({}, "`sources` must name at least one encoder"),
        ({"a.b": {"width": 4, "layers": [0]}}, "named by plain words, got 'a.b'"),
        ({"a": {"layers": [0]}}, r"must state `width` and `layers`, got \['layers'\]"),
        ({"a": {"width": 4, "layers": []}}, r"different layers counted from 0, got \[\]"),
        ({"a": {"width": 4, "layers": [1, 1]}}, r"different layers counted from 0, got \[1, 1\]"),
        ({"a": {"width": 4, "layers": [-1]}}, r"different layers counted from 0, got \[-1\]"),
    ],
    ids=["none", "dot", "width", "no layer", "twice", "negative"],
)
def test_taps_that_are_none_are_refused(sources, message):
    with pytest.raises(ValueError, match=message):
        MultiFeatureEncoder(sources)


def test_features_of_another_shape_are_refused(generator):
    taps, given = MultiFeatureEncoder(SOURCES), features(generator)
    with pytest.raises(ValueError, match=r"`features` must be given for \['beats', 'imagebind'\], got \['beats'\]"):
        taps({"beats": given["beats"]}, TIMES)
    with pytest.raises(ValueError, match=r"`token_times` must be given for .* got \['beats'\]"):
        taps(given, {"beats": TIMES["beats"]})
    with pytest.raises(ValueError, match=r"must hold the layers \[0, 2\], got 1 tensors"):
        taps({**given, "imagebind": given["imagebind"][:1]}, TIMES)
    longer = torch.zeros(2, 4, 6)
    with pytest.raises(ValueError, match=r"must have shape \(b, 3, 6\), got \(2, 4, 6\); leave class tokens out"):
        taps({**given, "imagebind": [longer, longer]}, TIMES)
