"""Measuring self-made files: what each planted fault does to the numbers, and that one decode is enough."""

import numpy as np
import pytest

from asva_curate import (
    CutRule,
    Plan,
    curate,
    decide,
    detected_cuts,
    find_cuts,
    find_duplicates,
    load_recipe,
    measure,
    measure_safely,
    read_measurements,
    sources,
    write_measurements,
)
from asva_data import MediaError, SyntheticWorld, write_video

FPS, RATE = 24, 16000


def scene(index, *, seed=3, seconds=4.0):
    """Moving pictures and sound of one scene of the world."""
    world = SyntheticWorld(seed=seed, size=96, num_frames=round(seconds * FPS), two_objects=0.0)
    clip = world[index]
    return clip.frames, clip.waveform


def save(path, frames, waveform):
    return write_video(path, frames, fps=FPS, waveform=waveform, sample_rate=RATE)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    frames, waveform = scene(3)  # a bell
    return save(tmp_path_factory.mktemp("plain") / "plain.mp4", frames, waveform), frames, waveform


RECIPE = load_recipe(
    "open-asva", {"filters.resolution.min": 64, "filters.frozen.min": 0.02, "filters.silent.min": -65.0}
)


def test_an_untouched_file_is_kept_whole(plain):
    found = measure(plain[0])
    assert (found.height, found.width, found.num_frames, found.fps) == (96, 96, 96, 24.0)
    assert found.duration == pytest.approx(4.0, abs=1e-3)
    assert found.sound_seconds == pytest.approx(4.0, abs=0.01)
    assert set(found.curves) == {"pixel", "content", "flow", "light", "contrast", "level", "peak"}
    assert len(found.frame_hashes) == 8 and len(found.sound_prints) == 40
    (clip,) = decide(found, RECIPE).clips
    assert (clip.start, clip.end) == (0.0, 4.0)


def faulty(kind, frames, waveform):
    if kind == "frozen":
        return np.repeat(frames[:1], len(frames), axis=0), waveform
    if kind == "black":
        return frames * 0, waveform
    if kind == "blank":
        return frames * 0 + 130, waveform
    return frames, waveform * 0


def test_a_mute_file_falls_to_the_filter_of_silence(plain, tmp_path):
    found = measure(write_video(tmp_path / "a.mp4", plain[1], fps=FPS))
    verdict = decide(found, RECIPE)
    assert found.sound_seconds == 0 and not verdict.clips
    assert {span.reason for span in verdict.windows} == {"silent: nothing measured"}


@pytest.mark.parametrize("kind", ["frozen", "black", "blank", "silent"])
def test_a_faulty_file_falls_to_its_filter(kind, plain, tmp_path):
    path = save(tmp_path / "a.mp4", *faulty(kind, *plain[1:]))
    verdict = decide(measure(path), RECIPE)
    assert not verdict.clips
    assert {span.reason.split(":")[0] for span in verdict.windows} == {kind}


def test_a_spliced_cut_is_found_where_it_is(plain, tmp_path):
    frames = np.concatenate([plain[1][:42], scene(2, seed=4)[0][:54]])
    path = save(tmp_path / "cut.mp4", frames, plain[2])
    ((old, new),) = find_cuts(measure(path))
    assert old < 42 / FPS <= new + 1e-6 and new - old < 0.1
    found = measure(path, shot_finder=detected_cuts)
    assert found.curves["cut"].ends.tolist() == pytest.approx([42 / FPS])
    assert np.ravel(find_cuts(found, CutRule(curve="cut", floor=0.5))) == pytest.approx([41 / FPS, 42 / FPS])


def test_duplicates_survive_encoding_and_scaling_but_scenes_differ(plain, tmp_path):
    smaller = save(tmp_path / "small.mp4", plain[1][:, ::2, ::2], plain[2] * 0)
    heard = save(tmp_path / "heard.mp4", scene(11)[0], np.float32(0.5) * plain[2])
    part = save(tmp_path / "part.mp4", plain[1][24:84], plain[2][:, RATE : RATE * 7 // 2])
    other = save(tmp_path / "other.mp4", *scene(11, seed=9))
    found = [measure(path) for path in (plain[0], smaller, heard, part, other)]
    reasons = find_duplicates(found)
    assert reasons == {
        str(smaller): f"duplicate: same pictures as {plain[0]}",
        str(heard): f"duplicate: same sound as {plain[0]}",
        str(part): f"duplicate: same pictures as {plain[0]}",
    }
    assert find_duplicates(found[1:2], never=found[:1]) == {str(smaller): f"test-set: same pictures as {plain[0]}"}


def test_scores_see_excerpts_on_one_clock(plain):
    seen = []

    def score(excerpt):
        seen.append(excerpt)
        return {"loud": float(np.abs(excerpt.waveform).max())}

    found = measure(plain[0], label="drum", scores={"any": score})
    assert [excerpt.start for excerpt in seen] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert all(excerpt.frames.shape == (12, 96, 96, 3) and excerpt.label == "drum" for excerpt in seen)
    assert all(excerpt.waveform.shape == (1, 2 * RATE) and excerpt.sample_rate == RATE for excerpt in seen)
    assert np.allclose(seen[3].times, np.arange(12) / 6, atol=1 / FPS)
    assert found.curves["loud"].begins.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_score_with_a_stride_is_asked_less(plain):
    def score(excerpt):
        return excerpt.start

    score.stride = 1.0
    assert measure(plain[0], scores={"start": score}).curves["start"].values.tolist() == [0.0, 1.0, 2.0]


def test_a_score_that_fails_fails_the_file(plain):
    def score(excerpt):
        raise RuntimeError("no memory")

    found = measure_safely(plain[0], scores={"ia": score})
    assert found.failure == "RuntimeError: no memory"


def test_measurements_survive_their_table(plain, tmp_path):
    found = [measure(plain[0], label="drum"), measure_safely(tmp_path / "none.mp4")]
    back = read_measurements(write_measurements(tmp_path / "m.parquet", found))
    assert str([item.to_row() for item in back]) == str([item.to_row() for item in found])
    assert decide(back[0], RECIPE) == decide(found[0], RECIPE)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    for name in ("bad.parquet", "none.parquet"):
        with pytest.raises(MediaError, match="`path`"):
            read_measurements(tmp_path / name)


def test_a_run_goes_on_past_a_bad_file(plain, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    results = list(curate(sources([tmp_path / "bad.mp4", plain[0]]), RECIPE))
    assert results[0][1].reason.startswith("failed: `path`")
    assert results[1][1].clips


def test_a_plan_is_checked():
    with pytest.raises(MediaError, match="`rate`"):
        Plan(rate=0)
