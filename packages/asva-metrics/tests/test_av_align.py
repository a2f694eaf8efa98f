"""AV-Align: onsets, flow, the three rules, chance; equal to librosa, OpenCV and the published scores."""

import cv2
import numpy as np
import pytest

from asva_metrics import (
    av_align,
    av_align_score,
    flow_trajectory,
    motion_peaks,
    onset_frames,
    onset_strength,
    onset_times,
)

RATE = 22050


@pytest.fixture
def clicks():
    """Two seconds with a short noise at 0.5, 1.0 and 1.6 s."""
    sound = np.zeros(2 * RATE, np.float32)
    for second in (0.5, 1.0, 1.6):
        start = int(second * RATE)
        sound[start : start + 800] = np.random.default_rng(0).normal(size=800) * np.linspace(0.5, 0, 800)
    return sound


def test_onsets_of_clicks(clicks):
    np.testing.assert_allclose(onset_times(clicks), [0.5, 1.0, 1.6], atol=0.05)
    np.testing.assert_allclose(onset_times(np.stack([clicks, clicks])), onset_times(clicks))


def test_other_rates_are_resampled(clicks):
    import torch

    from asva_audio import resample

    fast = resample(torch.from_numpy(clicks), RATE, 44100)
    np.testing.assert_allclose(onset_times(fast, 44100), onset_times(clicks), atol=0.03)


def test_silence_has_no_onset():
    assert len(onset_times(np.zeros(RATE))) == len(onset_frames(np.ones(20))) == len(onset_frames([])) == 0
    with pytest.raises(ValueError, match="must hold at least 1 samples"):
        onset_strength(np.zeros(0))
    with pytest.raises(ValueError, match="`waveform` must be finite"):
        onset_strength([0.0, np.nan])


def test_flow_of_a_moving_texture():
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8), (0, 0), 2)
    steps = [0, 0, 3, 3, 3, 3, 3]  # moves by 3 pixels once
    frames = np.stack([np.roll(texture, shift, axis=1) for shift in steps])
    trajectory = flow_trajectory(frames)
    assert trajectory.shape == (7,)
    assert trajectory[0] == trajectory[1] < 0.01 and trajectory[4] < 0.01
    assert trajectory[2] == pytest.approx(3, abs=0.5)
    assert motion_peaks(trajectory, 10.0).tolist() == [0.2]  # the floor of 0.1 leaves the noise out


def test_rules_by_hand():
    flow = [0.0, 0.05, 0.0, 0.3, 0.3, 0.2, 0.5, 0.1]  # a plateau is no peak
    assert motion_peaks(flow, 10.0, rule="2023").tolist() == [0.1, 0.6]
    assert motion_peaks(flow, 10.0).tolist() == [0.6]
    assert av_align([0.0], [0.1], 10.0) == 0.0  # one frame away is too far
    assert av_align([0.05, 0.06], [0.1], 10.0, rule="2023") == 2.0  # larger than 1: the rule's known fault
    assert av_align([0.05, 0.06], [0.1], 10.0) == 0.5
    assert np.isnan(av_align([], [], 10.0)) and av_align([], [], 10.0, rule="javis") == 0.0


def test_chance_of_dense_peaks_is_high():
    rng = np.random.default_rng(0)
    motion = np.arange(0.1, 2.0, 0.2)
    sound = motion + rng.uniform(-0.02, 0.02, len(motion))
    dense = av_align_score(sound, motion, 6.0, duration=2.0)
    sparse = av_align_score([0.5, 1.3], [0.5, 1.3], 24.0, duration=2.0)
    assert dense.score == sparse.score == 1.0
    assert dense.excess < 0.3 < 0.8 < sparse.excess
    empty = av_align_score([2.5], [], 6.0, duration=2.0)  # the onset lies beyond the picture
    assert np.isnan(empty.score) and np.isnan(empty.excess) and "neither" in empty.reason


def test_bad_input():
    for call, text in (
        (lambda: av_align([0.0], [0.0], 0.0), "`fps` must be positive"),
        (lambda: av_align([0.0], [0.0], 6.0, rule="2024"), "`rule` must be one of 2023, 2025, javis"),
        (lambda: av_align([np.nan], [0.0], 6.0), "`audio_peaks` must be finite"),
        (lambda: motion_peaks([[0.0]], 6.0), "`trajectory` must be finite"),
        (lambda: av_align_score([0.0], [0.0], 6.0, duration=2.0, num_shifts=8), "`num_shifts` must be at least 32"),
        (lambda: av_align_score([0.0], [0.0], 6.0, duration=0), "`duration` must be positive"),
        (lambda: flow_trajectory(np.zeros((1, 64, 64, 3), np.uint8)), "at least two frames"),
    ):
        with pytest.raises(ValueError, match=text):
            call()


@pytest.mark.parity("mtv/avalign_rules_*.json")
def test_matches_the_published_rules(parity):
    for case in parity.config["cases"]:
        for rule in ("2023", "2025"):
            peaks = motion_peaks(case["flow"], case["fps"], rule=rule)
            assert peaks.tolist() == case[f"video_peaks_{rule}_s"]
            assert motion_peaks(case["flow"], case["fps"], rule="javis").tolist() == case["video_peaks_2023_s"]
            stored = case["score_2025"] if rule == "2025" else case["score_javis"]
            score = av_align(case["audio_peaks_s"], peaks, case["fps"], rule="2025" if rule == "2025" else "javis")
            assert score == stored or (stored is None and np.isnan(score))


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1][..., ::-1])
    return np.stack(frames)


@pytest.fixture
def one_thread():
    """OpenCV's threads wait for one another on a busy machine."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parity("mtv/avalign_*.json", without="avalign_rules")
def test_matches_the_published_code_on_videos(parity, note):
    for file in parity.config["files"]:
        sound = parity.arrays(file["audio"]["npz"])
        envelope = onset_strength(sound["y"], int(sound["sr"]))
        note(envelope, file["onset_env"])
        # On a CPU without AVX-512 librosa 0.11 differs from its own stored envelope by 1.9e-6, and ours by the same.
        np.testing.assert_allclose(envelope, file["onset_env"], rtol=0, atol=2e-6)
        assert onset_frames(envelope).tolist() == file["onset_frames"]
        audio_peaks = onset_times(sound["y"], int(sound["sr"]))
        assert audio_peaks.tolist() == file["audio_peaks_s"]
        trajectory = flow_trajectory(frames_of(parity.folder / "avalign_video" / file["file"].replace("/", "__")))
        note(trajectory, file["flow_trajectory"])
        # With AVX-512 one mean of OpenCV's flow differs by 1.5e-9 of 6.8.
        np.testing.assert_allclose(trajectory, file["flow_trajectory"], rtol=5e-10, atol=1e-9)
        for rule in ("2023", "2025", "javis"):
            video_peaks = motion_peaks(trajectory, file["fps"], rule=rule)
            if rule != "javis":
                assert video_peaks.tolist() == file[f"video_peaks_{rule}_s"]
            assert av_align(audio_peaks, video_peaks, file["fps"], rule=rule) == file[f"score_{rule}"]
