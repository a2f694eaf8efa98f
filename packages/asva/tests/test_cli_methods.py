"""``asva sample --method``: every method by the command, from picture and sound to a valid file."""

import hashlib
import json

import numpy as np
import pytest
from fixtures.methods import METHODS
from PIL import Image

from asva_data import probe, read_video

RANDOM = ["avsyncd", "i2vd", "audio-window", "dynamicrafter", "aadiff"]


@pytest.fixture
def sample(asva, inputs, method_model):
    """``sample("avsyncd", ...)`` with the method's small model, a picture, a sound and a prompt."""

    def run(method, *more, picture=True, named=True, output="out.mp4"):
        words = ["sample", "--audio", inputs / "knocks.wav", "--prompt", "a ball", "--output", output]
        words += ["--image", inputs / "ball.png"] if picture else []
        words += ["--model", method_model(method)] if METHODS[method].needs_model else []
        words += ["--method", method] if named else []
        words += ["--size", "16x16"] if method in ("aadiff", "static") and "--size" not in more else []
        words += ["--steps", 2] if method in RANDOM and "--steps" not in more else []
        return asva(*words, *more)

    return run


def record():
    return json.loads(open("out.json", encoding="utf-8").read())


@pytest.mark.parametrize("method", [*RANDOM, "static"])
def test_every_method_makes_a_video(sample, inputs, tmp_path, knocks, method):
    size = ("--size", "16x32")
    ran = sample(method, "--plot", "--strip", "--seed", 5, *size)
    assert ran.code == 0, ran.err
    assert ran.out.split() == ["out.mp4", "out.frames.png", "out.plot.png", "out.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ran.out.split())
    info = probe("out.mp4")
    assert (info.codec, info.fps, info.height, info.width) == ("h264", 6, 16, 32)
    clip = read_video("out.mp4")
    assert clip.frames.shape == (12, 16, 32, 3)
    assert np.corrcoef(clip.waveform[0, :32000], knocks[: clip.waveform.shape[1]])[0, 1] > 0.98
    assert Image.open("out.plot.png").size == (1200, 432) and Image.open("out.frames.png").height == 146
    told = record()
    assert told["method"] == method and told["seed"] == 5 and told["fps"] == 6 and told["num_frames"] == 12
    assert "keyframes" not in told and "motion_curve" not in told
    assert told["model"] == {"name": None if method == "static" else method, "localizer": None}
    assert told["inputs"]["image"]["sha256"] == hashlib.sha256((inputs / "ball.png").read_bytes()).hexdigest()
    assert told["settings"]["height"] == 16 and told["settings"]["width"] == 32
    assert told["memory"]["measured_bytes"] > 0 and "decoding" in {
        *told["seconds"],
        *["decoding"] * (method == "static"),
    }
    assert str(tmp_path) not in json.dumps(told)


@pytest.mark.parametrize("method", ["avsyncd", "i2vd", "audio-window", "dynamicrafter", "aadiff", "keyvid"])
def test_the_method_is_the_models(sample, method):
    assert sample(method, named=False).code == 0
    assert record()["method"] == method


@pytest.mark.parametrize("method", ["avsyncd", "audio-window", "aadiff"])
def test_seed_and_sound_decide(sample, method):
    frames = {}
    for name, more in {
        "a": (),
        "again": (),
        "seed": ("--seed", 1),
        "deaf": ("--guidance", 1),
        "loud": ("--guidance", 9),
    }.items():
        assert sample(method, *more, output=f"{name}.mp4").code == 0
        frames[name] = read_video(f"{name}.mp4").frames
    assert (frames["a"] == frames["again"]).all()
    assert (frames["deaf"] != frames["loud"]).any()
    # The seed draws noise; AADiff finds the picture's own instead, and the autoencoder's mean needs none.
    assert (frames["a"] != frames["seed"]).any() == (method != "aadiff")


@pytest.mark.parametrize("method", ["avsyncd", "static"])
def test_frames_between_by_another_model(sample, small_model, method):
    ran = sample(method, "--interpolator", small_model, "--fps", 24, "--interp-steps", 1, "--plot")
    assert ran.code == 0, ran.err
    clip = read_video("out.mp4")
    assert clip.frames.shape == (48, 16, 16, 3) and clip.fps == 24
    told = record()
    assert told["fps"] == 24 and told["num_frames"] == 48 and told["method"] == method
    assert told["interpolator"]["name"] == "small" and told["interpolator"]["from_fps"] == 6
    assert told["interpolator"]["settings"]["interp_num_inference_steps"] == 1
    assert {"loading the interpolator", "frames between", "decoding"} <= told["seconds"].keys()


def test_any_rate_where_frames_are_made_one_by_one(sample):
    for method in ("aadiff", "static"):
        assert sample(method, "--fps", 3, "--overwrite").code == 0
        clip = read_video("out.mp4")
        assert len(clip.frames) == 6 and clip.fps == 3
        assert record()["settings"]["fps"] == 3 and record()["settings"]["num_frames"] == 6


@pytest.mark.parametrize(("method", "fps"), [("avsyncd", 25), ("audio-window", 29.97), ("aadiff", 12), ("static", 24)])
def test_every_method_at_any_length_and_rate(sample, method, fps):
    ran = sample(method, "--duration", 3.3, "--loop", "--fps", fps)
    assert ran.code == 0, ran.err
    clip, told = read_video("out.mp4"), record()
    assert len(clip.frames) == told["num_frames"] == round(3.3 * (30000 / 1001 if fps == 29.97 else fps))
    assert len(told["windows"]["each"]) >= 2 and told["windows"]["fps"] == (
        fps if method in ("aadiff", "static") else 6
    )


def test_frames_between_at_any_length(sample, small_model):
    ran = sample(
        "avsyncd", "--duration", 3.3, "--loop", "--interpolator", small_model, "--interp-steps", 1, "--fps", 30
    )
    assert ran.code == 0, ran.err
    assert len(read_video("out.mp4").frames) == 99 and record()["fps"] == 30


def test_a_model_makes_the_first_frame(sample, method_model, tmp_path):
    more = ("--image-model", method_model("aadiff"))
    assert sample("static", *more, "--crf", 0, picture=False).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.image.png", "out.json", "out.mp4"]
    made = record()["inputs"]["image"]
    assert made["made_by"] == "aadiff" and made["name"] is None
    assert made["sha256"] == hashlib.sha256((tmp_path / "out.image.png").read_bytes()).hexdigest()
    picture = np.asarray(Image.open("out.image.png"))
    assert picture.shape == (16, 16, 3) and picture.std() > 0
    brightness = np.array([0.2126, 0.7152, 0.0722])  # of BT.709; colours lose half their resolution
    seen = [(frame @ brightness).ravel() for frame in (picture, read_video("out.mp4").frames[0])]
    assert np.corrcoef(seen)[0, 1] > 0.99
    assert sample("static", *more, "--seed", 1, picture=False, output="b.mp4").code == 0
    assert (np.asarray(Image.open("b.image.png")) != picture).any()


def test_a_model_makes_the_first_frame_of_keyvid(sample, method_model):
    ran = sample("keyvid", "--image-model", method_model("aadiff"), picture=False)
    assert ran.code == 0, ran.err
    assert record()["inputs"]["image"]["made_by"] == "aadiff" and record()["keyframes"]["indices"][0] == 0
    assert ran.out.split() == ["out.mp4", "out.image.png", "out.json"]


def test_aadiff_makes_its_own_first_frame(sample):
    assert sample("aadiff", picture=False).code == 0
    assert record()["inputs"]["image"] is None


def test_words_and_radius_reach_the_pipeline(sample):
    assert sample("aadiff", "--words", "ball").code == 0
    assert record()["settings"]["words"] == ["ball"]
    assert sample("audio-window", "--radius", 2.5, "--overwrite").code == 0
    assert record()["settings"]["radius"] == 2.5


def refused(ran, folder, *words, code):
    assert ran.code == code, ran.err
    lines = [line for line in ran.err.splitlines() if line and not line.startswith("Note:")]
    assert len(lines) == 1, ran.err
    for word in words:
        assert word in lines[0]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("avsyncd", ("--keyframes", "0.5"), ("`--keyframes`", "avsyncd", "it is for keyvid")),
        ("avsyncd", ("--uniform",), ("`--uniform`", "avsyncd")),
        ("avsyncd", ("--interp-steps", 2), ("`--interp-steps`", "avsyncd")),
        ("avsyncd", ("--image-guidance", 2), ("`--image-guidance`", "keyvid, audio-window, dynamicrafter")),
        ("i2vd", ("--guidance", 2), ("`--guidance`", "i2vd", "avsyncd, audio-window", "aadiff")),
        ("dynamicrafter", ("--radius", 2), ("`--radius`", "dynamicrafter", "it is for audio-window")),
        ("static", ("--steps", 2), ("`--steps`", "static")),
        ("static", ("--model", "tiny"), ("`--model`", "static")),
        ("keyvid", ("--words", "ball"), ("`--words`", "keyvid", "aadiff")),
        ("keyvid", ("--interpolator", "tiny"), ("`--interpolator`", "keyvid")),
        ("aadiff", ("--prompt", " "), ("`--prompt`", "words")),
        ("aadiff", ("--words", "ball,,"), ("`--words`", "ball,,")),
    ],
)
def test_options_that_a_method_lacks(sample, tmp_path, method, more, words):
    refused(sample(method, *more), tmp_path, *words, code=2)


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("avsyncd", ("--fps", 2000), ("`fps` must be above 0 and at most 1000, got 2000",)),
        ("audio-window", ("--radius", 0.01), ("`radius`",)),
        ("aadiff", ("--words", "drum"), ("`words` must stand in the prompt", "'drum'")),
    ],
)
def test_values_that_do_not_fit(sample, tmp_path, method, more, words):
    ran = sample(method, *more)
    assert ran.code == 1 and list(tmp_path.iterdir()) == []
    assert all(word in ran.complaint for word in words), ran.complaint


@pytest.mark.parametrize("wanted", sorted(name for name, method in METHODS.items() if method.needs_model))
def test_a_model_of_another_method(asva, inputs, method_model, tmp_path, wanted):
    other = "i2vd" if wanted == "avsyncd" else "avsyncd"
    model = method_model(other)
    files = ("--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--prompt", "a ball")
    ran = asva("sample", *files, "--method", wanted, "--model", model)
    refused(ran, tmp_path, str(model), f"the method {other}, not {wanted}", f"--method {other}", code=1)


def test_models_that_cannot_be(asva, sample, inputs, method_model, tmp_path):
    files = ("sample", "--audio", inputs / "knocks.wav", "--prompt", "a ball")
    picture = ("--image", inputs / "ball.png")
    refused(asva(*files), tmp_path, "`--image`", "`--image-model`", code=2)
    refused(asva(*files, *picture, "--image-model", "x"), tmp_path, "exclude each other", code=2)
    refused(asva(*files, *picture, "--method", "i2vd"), tmp_path, "`--model` must be given", "i2vd", code=2)
    refused(asva(*files, "--image-model", "nowhere"), tmp_path, "'nowhere'", "neither a folder nor a hub id", code=1)
    refused(asva(*files, "--image-model", method_model("i2vd")), tmp_path, "AVSyncDPipeline", "no picture", code=1)
    refused(asva(*files[:-1], "", "--image-model", "x"), tmp_path, "`--prompt`", code=2)
    refused(sample("avsyncd", "--interpolator", method_model("i2vd")), tmp_path, "KeyVID model", "i2vd", code=1)
    assert "Invalid value for '--method'" in asva(*files, *picture, "--method", "magic").complaint


def test_a_hub_model_is_not_fetched_unasked(asva, inputs, tmp_path, monkeypatch):
    from asva_pipelines.loading import hub

    monkeypatch.setattr(hub, "_listing", lambda repo: ())
    files = ("sample", "--audio", inputs / "knocks.wav", "--prompt", "a ball")
    ran = asva(*files, "--image-model", "nobody/nothing")
    assert ran.code == 1 and "nobody/nothing" in ran.complaint and "not agreed to" in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_an_image_model_that_lacks_a_weight(sample, method_model, tmp_path_factory, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(method_model("aadiff"), tmp_path_factory.mktemp("bad") / "broken")
    path = broken / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    del state["conv_out.weight"]
    save_file(state, path)
    ran = sample("static", "--image-model", broken, picture=False)
    assert ran.code == 1 and "conv_out.weight" in ran.complaint and str(broken) in ran.complaint
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_no_method(asva, inputs, tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}', encoding="utf-8")
    ran = asva("sample", "--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--model", folder)
    refused(ran, tmp_path, str(folder), "FluxPipeline", "no method", code=1)


@pytest.mark.parametrize("stage", ["first frame", "frames", "loading the interpolator", "frames between", "writing"])
def test_ctrl_c_in_any_stage(sample, method_model, small_model, tmp_path, monkeypatch, stage):
    from asva.cli.progress import ShownStages as Stages

    begin = Stages.stage

    def interrupted(self, name, total=1):
        begin(self, name, total)
        if name == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(Stages, "stage", interrupted)
    makes_picture = stage == "first frame"
    more = ("--image-model", method_model("aadiff")) if makes_picture else ("--interpolator", small_model)
    ran = sample("i2vd", *more, picture=not makes_picture)
    assert ran.code == 130, ran.err
    assert ran.complaint == "Interrupted; no file was left half-written."
    assert list(tmp_path.iterdir()) == []


def test_keyframes_are_not_asked_of_another_model(asva, inputs, method_model, tmp_path):
    ran = asva("keyframes", inputs / "knocks.wav", "--model", method_model("avsyncd"))
    assert ran.code == 1 and "for the method avsyncd, not keyvid" in ran.complaint
