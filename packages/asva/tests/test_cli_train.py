"""``asva train``: what it writes, and one line for what cannot be trained."""

import json

import pytest

SMALL = (
    "data.height=32",
    "data.width=32",
    "data.workers=0",
    "loop.batch_size=1",
    "loop.mixed_precision=no",
    "model.block_out_channels=[8, 8]",
    "model.down_block_types=[DownEncoderBlock2D, DownEncoderBlock2D]",
    "model.up_block_types=[UpDecoderBlock2D, UpDecoderBlock2D]",
)


def _vae(asva, folder, *more):
    fields = [word for field in SMALL for word in ("--set", field)]
    return asva("train", "vae", "--folder", folder, "--steps", 1, "--device", "cpu", *fields, *more)


def test_a_part_is_trained_once_and_goes_on_when_asked(asva, tmp_path):
    done = _vae(asva, tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "vae" / "config.json").is_file() and "vae 1/1" in done.out
    assert "parameters learn" in done.out
    again = _vae(asva, tmp_path)
    assert again.code == 1 and "--resume" in again.complaint
    assert _vae(asva, tmp_path, "--resume").code == 0


def test_the_result_as_json(asva, tmp_path):
    told = _vae(asva, tmp_path, "--json")
    assert told.code == 0 and "vae 1/1" in told.err
    record = json.loads(told.out)
    assert record["task"] == "vae" and record["steps"] == 1 and record["folder"] == str(tmp_path)
    assert record["losses"].keys() >= {"loss", "psnr"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("vae", "--recipe", "tiny-keyframe"), "recipe for vae"),
        (("vae", "--recipe", "nothing"), "tiny-vae"),
        (("vae", "--set", "loop.speed=3"), "loop.speed"),
        (("vae", "--set", "speed"), "NAME=VALUE"),
        (("vae", "--set", "loop.seed=[1"), "a value in YAML, got 'loop.seed=[1'"),
        (("interp",), "Convert a model first"),
        (("vae", "--data", "no-such-folder"), "no-such-folder"),
        (("assemble", "--output", "out"), "`settings` must be given"),
        (
            ("assemble", "--output", "out", "--settings", "nothing"),
            "`settings` must be a YAML file or one of audio-window",
        ),
        (("assemble", "--output", "out", "--settings", "tiny-avsyncd"), "`vae` must be in"),
        (("assemble", "--output", "out", "--settings", "tiny", "--set", "family=x"), "`family` must be one of keyvid"),
        (("avsyncd", "--recipe", "tiny-i2vd"), "recipe for avsyncd"),
        (("i2vd", "--set", "base=nowhere"), "`base` must be a model's folder or name"),
        (("audio-window", "--set", "data.shots=0"), "`data.shots` must be at least 1"),
        (("audio-window", "--set", "data.wrong_sound=2"), "data.wrong_sound"),
        (("audio-window", "--set", "taps={imagebind: [9]}"), "`taps.imagebind` must name blocks from 0 to 3"),
        (("audio-window", "--set", "loop.epochs=3"), "`loop.epochs` must be null where clips have no end"),
    ],
)
def test_what_cannot_be_trained_is_one_line(asva, tmp_path, words, message):
    failed = asva("train", words[0], "--folder", tmp_path / "model", *words[1:])
    assert failed.code != 0 and message in failed.complaint
    assert len(failed.err.strip().splitlines()) == 1, failed.err
    assert not (tmp_path / "model" / "vae").exists()


def test_motion_by_raft_wants_its_weights(asva, tmp_path):
    pytest.importorskip("torchvision", reason="needs the extra asva-keyframe[raft]")
    (tmp_path / "videos").mkdir()
    failed = asva("data", "motion", "videos", "--raft", "nowhere.pth")
    assert failed.code == 1 and "nowhere.pth" in failed.complaint and len(failed.err.strip().splitlines()) == 1
    (tmp_path / "raft.pth").write_bytes(b"none")
    failed = asva("data", "motion", "videos", "--raft", "raft.pth")
    assert failed.code == 1 and "raft.pth" in failed.complaint and len(failed.err.strip().splitlines()) == 1
