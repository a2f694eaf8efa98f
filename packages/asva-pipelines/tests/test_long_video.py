"""Windows that go on in latents: anchor, drift, sound by pieces, what changes over time, what is kept of a job."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asva_audio import Track
from asva_interp import make_clip_plan
from asva_interp.windows.anchor import Anchor, come_back
from asva_interp.windows.drift import Drift, Look
from asva_interp.windows.over_time import check_inside, parse_points, parse_strengths, strengths_at, window_prompts
from asva_pipelines import LongVideo, StaticPipeline
from asva_pipelines.long.folder import PartFolder


class Counting:
    """A pipeline of latents: each frame is one more than the one before, and a little brighter than it should be."""

    config = SimpleNamespace(sample_rate=16000)
    _execution_device = "cpu"

    def __init__(self, size=12):
        self.size, self.calls = size, []
        self.vae = SimpleNamespace(
            config=SimpleNamespace(scaling_factor=1.0), dtype=torch.float32,
            decode=lambda latents, return_dict: (latents.repeat(1, 3, 1, 1) / 127.5 - 1,),
        )  # fmt: skip

    def maybe_free_model_hooks(self):
        pass

    def __call__(self, image, audio, prompt, generator, output_type, first_latents=None):
        self.calls.append((prompt, generator.initial_seed(), audio))
        first = torch.zeros(1, 1, 2, 2) if first_latents is None else first_latents
        return SimpleNamespace(frames=first + torch.arange(self.size)[:, None, None, None])


def track(seconds):
    return Track(np.linspace(0, 1, round(seconds * 16000), dtype=np.float32)[None], 16000)


def video(pipeline, seconds, **more):
    plan = make_clip_plan(seconds, 6, native_fps=6, window_size=12, overlaps=(3, 3))
    return LongVideo(pipeline, plan, None, track(seconds), **more)


def test_windows_go_on_from_latents():
    pipeline = Counting()
    made = video(pipeline, 6.5, anchor=False)
    shown = [int(frame[0, 0, 0]) for frame in made.frames()]
    assert shown == list(range(39)), "each window starts from the latents of the frame at which it takes over"
    assert len(pipeline.calls) == len(made.drift) == 4
    assert len({seed for _, seed, _ in pipeline.calls}) == 4
    for index, (_, _, heard) in enumerate(pipeline.calls):
        assert heard.waveform.shape == (1, 32000)
        expected = np.zeros(32000)
        rest = made.track.waveform[0, index * 24000 : index * 24000 + 32000]
        expected[: len(rest)] = rest
        np.testing.assert_allclose(heard.waveform[0].numpy(), expected, atol=1e-6)


def test_each_window_has_its_own_arguments():
    pipeline = Counting()
    made = video(pipeline, 3.0, prompt="a", each=[{}, {"prompt": "b"}])
    list(made.frames())
    assert [prompt for prompt, _, _ in pipeline.calls] == ["a", "b"]
    with pytest.raises(ValueError, match=r"`each` must be as many as windows \(2\), got 1"):
        video(pipeline, 3.0, each=[{}])


def test_a_pipeline_without_latents():
    pipeline = StaticPipeline(height=16, width=16)
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    plan = make_clip_plan(5.0, 6, native_fps=6, window_size=12)
    made = LongVideo(pipeline, plan, picture, track(5.0))
    frames = np.stack(list(made.frames()))
    assert frames.shape == (30, 16, 16, 3) and (frames == picture).all()
    assert made.drift[-1] == {"colour": 0.0, "contrast": 1.0, "sharpness": 1.0}


def test_the_anchor_pulls_little_by_little():
    draw = torch.Generator().manual_seed(0)
    first = torch.randn(10, 4, 8, 8, generator=draw)
    later = 1.1 * torch.randn(10, 4, 8, 8, generator=draw) + 0.5
    held = Anchor.of(first).hold(later)
    change = (held - later).abs().mean(dim=(1, 2, 3))
    assert change[0] < 0.15 * change[-1] and (change.diff() > 0).all()
    assert abs(held[-1].mean() - first.mean()) < 0.1 < abs(later[-1].mean() - first.mean())
    torch.testing.assert_close(Anchor.of(first).hold(first), first, rtol=1e-5, atol=1e-5)
    assert Anchor.of(first).hold(torch.ones(2, 4, 8, 8)).isfinite().all()


def test_what_shows_the_same_comes_back_to_the_picture():
    draw = torch.Generator().manual_seed(0)
    picture = torch.randn(4, 8, 8, generator=draw)
    frames = picture + 0.2 * torch.randn(4, 8, 8, generator=draw).expand(10, 4, 8, 8)
    back = come_back(frames, picture)
    torch.testing.assert_close(back[-1], picture)
    assert torch.equal(back[:2], frames[:2]) and ((back - picture).square().mean(dim=(1, 2, 3)).diff()[1:] < 0).all()

    def changed(rows):
        frame = picture.clone()
        frame[:, :rows] += 3 * torch.randn(4, rows, 8, generator=draw)
        return frame.expand(10, 4, 8, 8)

    moved, other = changed(3), changed(6)
    assert torch.equal(come_back(moved, picture, calm=False), moved), "it is on its way"
    torch.testing.assert_close(come_back(moved, picture)[-1], picture)
    torch.testing.assert_close(come_back(changed(2), picture, calm=False)[-1], picture)
    assert torch.equal(come_back(other, picture), other), "another scene stays another scene"


def test_drift_tells_colour_contrast_and_sharpness():
    frame = np.random.default_rng(0).integers(60, 180, (16, 16, 3)).astype(np.uint8)
    drift = Drift(Look.of(frame))
    drift.add(frame)
    assert drift.report() == {"colour": 0.0, "contrast": 1.0, "sharpness": 1.0}
    drift = Drift(Look.of(frame))
    drift.add((frame // 2 + 20).astype(np.uint8))
    told = drift.report()
    assert told["colour"] > 30 and told["contrast"] == pytest.approx(0.5, abs=0.01) and told["sharpness"] < 0.55
    assert Drift(Look.of(np.zeros((4, 4, 3), np.uint8))).first.sharpness == 0


def test_a_track_is_cut_filled_and_repeated():
    sound = track(1.0)
    assert sound.fit(Fraction(1, 2)).waveform.shape == (1, 8000)
    longer = sound.fit(Fraction(5, 2))
    assert longer.waveform.shape == (1, 40000) and longer.waveform[0, 16000:].max() == 0
    looped = sound.fit(Fraction(5, 2), loop=True)
    assert (looped.waveform[0, 16000:32000] == sound.waveform[0]).all()


def test_finished_windows_are_kept(tmp_path):
    job, latents = {"seed": 0}, torch.arange(4.0)
    folder = PartFolder(tmp_path / "a.part", job)
    assert folder.found == 0 and folder.load(0) is None and not folder.path.exists()
    folder.save(0, latents)
    again = PartFolder(tmp_path / "a.part", job)
    assert again.found == 1 and torch.equal(again.load(0), latents)
    (tmp_path / "a.part" / "plan.json").write_text("{", encoding="utf-8")
    assert PartFolder(tmp_path / "a.part", job).found == 0 and not folder.path.exists()
    folder.save(0, latents)
    assert PartFolder(tmp_path / "a.part", {"seed": 1}).found == 0, "windows of another job do not count"
    folder.save(0, latents)
    assert PartFolder(tmp_path / "a.part", job, resume=False).found == 0


def test_prompts_and_strengths():
    points = parse_points(["2.5=b = c", "1=a"], "--prompt-at")
    assert points == [(1.0, "a"), (2.5, "b = c")]
    plan = make_clip_plan(4.0, 6, native_fps=6, window_size=12, borders=(6, 15))
    prompts = window_prompts(points, plan, "start")
    assert [prompts[0], prompts[-1]] == ["start", "b = c"] and prompts == sorted(
        prompts, key=["start", "a", "b = c"].index
    )
    assert strengths_at([(1.0, 2.0), (3.0, 4.0)], np.array([0.0, 2.0, 9.0])).tolist() == [2.0, 3.0, 4.0]
    check_inside(points, 3.0, "--prompt-at")


@pytest.mark.parametrize("text", ["x", "x=1", "-1=1", "nan=1", "1=", "1=2,1=3", "1=x", "1=inf"])
def test_strengths_that_cannot_be(text):
    with pytest.raises(ValueError, match="`--guidance-at`"):
        parse_strengths(text, "--guidance-at")


def test_rows_that_cannot_be(tmp_path):
    (tmp_path / "a.csv").write_text("second,prompt\n1,a,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="rows of two cells"):
        parse_points([str(tmp_path / "a.csv")], "--prompt-at")


@pytest.mark.parametrize("content", [b"", b"cut", b"\x08" + bytes(15)])
def test_a_window_that_is_cut_short_is_made_again(tmp_path, content):
    folder = PartFolder(tmp_path / "a.part", {"seed": 0})
    folder.save(0, torch.ones(2, 3))
    folder.save(1, torch.ones(2, 3))
    (tmp_path / "a.part" / "window-000001.safetensors").write_bytes(content)
    again = PartFolder(tmp_path / "a.part", {"seed": 0})
    assert torch.equal(again.load(0), torch.ones(2, 3)) and again.load(1) is None
    again.save(1, torch.zeros(1))
    assert torch.equal(again.load(1), torch.zeros(1))
