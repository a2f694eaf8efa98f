"""`asva sample --quality`: fewer steps than published, where there are many; what was asked for counts before it."""

import json
import shutil

import pytest

from asva_pipelines.presets import PRESETS, QUALITIES, preset


@pytest.fixture
def sample(asva, inputs, method_model, tmp_path):
    """A model of many steps, as published ones are."""

    def run(method, *more, steps=25):
        folder = tmp_path / method
        if not folder.exists():
            shutil.copytree(method_model(method), folder)
            index = folder / "model_index.json"
            index.write_text(
                json.dumps(json.loads(index.read_text(encoding="utf-8")) | dict.fromkeys(_STEPS, steps)),
                encoding="utf-8",
            )
        words = ["sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--duration", 1, "--model", folder]
        ran = asva(*words, "--overwrite", *more)
        return ran, json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) if ran.code == 0 else None

    return run


_STEPS = ("num_inference_steps", "interp_num_inference_steps")


@pytest.mark.parametrize("method", PRESETS)
@pytest.mark.parametrize("quality", QUALITIES[1:])
def test_a_preset_sets_what_its_row_says(sample, method, quality):
    ran, told = sample(method, "--quality", quality)
    assert ran.code == 0, ran.err
    chosen = preset(method, quality)
    assert told["quality"] == quality and chosen.items() <= told["settings"].items()


def test_the_published_settings_are_what_is_taken(sample):
    told = sample("avsyncd", steps=3)[1]
    assert told["quality"] == "best" and told["settings"]["num_inference_steps"] == 3
    assert "sampler" not in told["settings"]


def test_what_was_asked_for_counts_before_the_preset(sample):
    ran, told = sample("avsyncd", "--quality", "fast", "--steps", 2, "--set", "sampler=unipc")
    assert ran.code == 0, ran.err
    assert told["settings"]["num_inference_steps"] == 2 and told["settings"]["sampler"] == "unipc"


def test_a_model_of_few_steps_keeps_its_own(sample):
    ran, told = sample("avsyncd", "--quality", "fast", steps=2)
    assert ran.code == 0 and "`--quality fast` changes nothing" in ran.err
    assert told["settings"]["num_inference_steps"] == 2 and "sampler" not in told["settings"]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("static", "fast"), "`quality` must be best with static, got fast: keyvid, avsyncd have presets."),
        (("mtv", "good"), "`quality` must be best with mtv, got good: keyvid, avsyncd have presets."),
        (("avsyncd", "quick"), "'quick' is not one of 'best', 'good', 'fast'"),
    ],
)
def test_a_preset_that_is_not_there_is_refused_in_one_line(asva, inputs, method_model, words, match):
    method, quality = words
    model = () if method == "static" else ("--model", method_model(method))
    ran = asva(
        "sample",
        "-i",
        inputs / "ball.png",
        "-a",
        inputs / "knocks.wav",
        "--method",
        method,
        *model,
        "--quality",
        quality,
    )
    assert ran.code != 0 and match in ran.complaint, ran.complaint


def test_keeping_deep_features_changes_little_and_is_told(sample):
    plain, kept = (
        sample("avsyncd", "--steps", 4, *more)[1]["settings"] for more in ((), ("--set", "cache_interval=2"))
    )
    assert kept["cache_interval"] == 2 and "cache_interval" not in plain
    assert "`cache_interval` must be a whole number" in sample("avsyncd", "--set", "cache_interval=0")[0].complaint
    assert (
        "`cache_level` must be a resolution of the network, 1 to"
        in sample("avsyncd", "--set", "cache_interval=2", "--set", "cache_level=9", "--steps", 2)[0].complaint
    )
