"""Clips of a training: K of each class, sounds that do not fit, epochs of what comes again."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from asva_train import RecipeError, RunError, load_recipe
from asva_train.clips import clip_source
from asva_train.loop import with_steps

WORLD = {"data.height": 32, "data.width": 32, "data.num_frames": 12, "data.fps": 6}


def _data(**fields):
    overrides = WORLD | {f"data.{name}": value for name, value in fields.items()}
    return load_recipe("tiny-avsyncd", overrides).data


def _folder(tmp_path, counts):
    from asva_data import write_video

    world = clip_source(_data())
    for name, count in counts.items():
        for number in range(count):
            path = tmp_path / name / f"{number}.mp4"
            path.parent.mkdir(exist_ok=True)
            clip = world[number]
            write_video(path, clip.frames, fps=6, waveform=clip.waveform[None], sample_rate=16000)
    return {"kind": "folder", "root": str(tmp_path), "motion_scores": None}


def test_shots_are_drawn_once_per_class_and_come_again():
    few, more = (clip_source(_data(shots=count, shots_seed=3)) for count in (1, 2))
    assert few.num_clips == len(few.class_names) and set(few.chosen) < set(more.chosen)
    assert set(Counter(more.class_at(index) for index in range(more.num_clips)).values()) == {2}
    epochs = [[few.class_at(index + epoch * few.num_clips) for index in range(few.num_clips)] for epoch in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]
    assert few.class_at(4) == few[4].class_index
    assert set(few.chosen) != set(clip_source(_data(shots=1, shots_seed=4)).chosen)


def test_all_shots_are_the_world_without_end():
    assert clip_source(_data(shots="all")).num_clips is None


def test_shots_of_a_folder(tmp_path):
    folder = _folder(tmp_path, {"bell": 3, "frog": 2})
    source = clip_source(_data(**folder, shots=2))
    assert Counter(source.class_at(index) for index in range(source.num_clips)) == {0: 2, 1: 2}
    assert source.class_at(0) == source[0].class_index
    assert clip_source(_data(**folder)).num_clips == 5
    with pytest.raises(ValueError, match=r"`data.shots` must be at most .* got 3 where 'frog' has 2"):
        clip_source(_data(**folder, shots=3))


def test_videos_of_the_test_are_never_seen(tmp_path, caplog):
    """A video's sound is as loud as its number says, so that the clip tells which one it is."""
    from asva_data import SyntheticWorld, write_video
    from asva_train import Run, make_task

    clip = SyntheticWorld(seed=0, size=32, num_frames=12, fps=6.0)[0]
    for number in range(6):
        path = tmp_path / "data" / "videos" / "a_bell" / f"{number}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.full((1, 32000), (number + 1) / 10, np.float32)
        write_video(path, clip.frames, fps=6, waveform=sound, sample_rate=16000)
    (tmp_path / "data" / "train.txt").write_text("a_bell/0.mkv\na_bell/3.mkv\na_bell/9.mkv\n", encoding="utf-8")
    (tmp_path / "data" / "test.txt").write_text("a_bell/1.mkv\n", encoding="utf-8")
    for below in (".", "videos", "videos/a_bell"):
        source = clip_source(_data(kind="folder", root=str(tmp_path / "data" / below), wrong_sound=0.5))
        seen = {round(10 * float(np.median(source[index].waveform))) - 1 for index in range(20)}
        assert seen == {0, 3} and source.source.class_names == ("a_bell",) and source[0].caption == "a bell"
    with caplog.at_level("INFO", logger="asva"):
        recipe = load_recipe("tiny-vae", WORLD | {"data.kind": "folder", "data.root": str(tmp_path / "data")})
        Run(make_task(recipe, tmp_path / "model"), tmp_path / "model", device="cpu")
    assert "2 videos of" in caplog.text and "train.txt, 1 more that cannot be used; 4 others" in caplog.text
    (tmp_path / "data" / "train.txt").unlink()
    (tmp_path / "data" / "test.txt").unlink()
    assert "no list keeps any for a test" in clip_source(recipe.data).remark


@pytest.mark.parametrize(("shots", "error"), [(0, ValueError), (-1, RecipeError)])
def test_without_shots_there_is_nothing_to_train(shots, error):
    with pytest.raises(error, match="shots"):
        clip_source(_data(shots=shots))


def test_mirrored_clips_of_a_folder(tmp_path):
    folder = _folder(tmp_path, {"bell": 1})
    plain, mirrored = (clip_source(_data(**folder, flip=chance))[0] for chance in (0.0, 1.0))
    assert np.array_equal(plain.frames, mirrored.frames[:, :, ::-1])


def test_a_wrong_sound_belongs_to_another_clip():
    clean, noisy = clip_source(_data()), clip_source(_data(wrong_sound=1.0))
    first, second = noisy[3], noisy[3]
    assert np.array_equal(first.waveform, second.waveform)
    assert np.array_equal(first.frames, clean[3].frames)
    assert not np.array_equal(first.waveform, clean[3].waveform)


def test_a_shifted_sound_is_the_same_at_another_time():
    sound, shifted = clip_source(_data())[3].waveform, clip_source(_data(shifted_sound=1.0))[3].waveform
    starts = [
        by for by in range(1, len(sound)) if shifted[by] == sound[0] and np.array_equal(np.roll(sound, by), shifted)
    ]
    assert len(starts) == 1 and len(sound) / 8 <= starts[0] <= 7 * len(sound) / 8


def test_a_sound_off_screen_is_of_a_class_that_is_not_seen():
    clean, noisy = clip_source(_data()), clip_source(_data(off_screen_sound=1.0))
    clip, mixed = clean[3], noisy[3]
    other = noisy._off_screen(clip, _draws(noisy, 3))
    together = clip.waveform + other
    np.testing.assert_allclose(mixed.waveform, together / max(1.0, np.abs(together).max()), atol=1e-6)
    with pytest.raises(ValueError, match="one class"):
        clip_source(_data(off_screen_sound=0.5, classes=["bell"]))


def _draws(noisy, index):
    draws = np.random.default_rng([noisy.recipe.seed, 7, index])
    draws.random(3)
    return draws


def test_noise_has_the_chance_asked_for():
    clean, noisy = clip_source(_data()), clip_source(_data(wrong_sound=0.5))
    wrong = [not np.array_equal(clean[index].waveform, noisy[index].waveform) for index in range(24)]
    assert 6 <= sum(wrong) <= 18


def test_epochs_are_steps_of_what_comes_again():
    loop = load_recipe("audio-window-finetune", {"data.kind": "synthetic"}).loop
    assert with_steps(loop, 480, 4).max_steps == 500 * 480 // 16
    assert with_steps(replace(loop, max_steps=10), 480, 4).max_steps == 10
    with pytest.raises(RunError, match="epochs"):
        with_steps(loop, None, 1)
    with pytest.raises(RunError, match="neither"):
        with_steps(replace(loop, epochs=None), 480, 1)
