"""Networks: every key of the published checkpoints both ways, equality with the originals, errors at the door."""

import json
import zlib

import numpy as np
import pytest
import torch

from asva_metrics import (
    I3D,
    AVSyncClassifier,
    FIDInception,
    SyncNet,
    clip_video,
    convert_network,
    fid_images,
    fvd_video,
    invert_network,
    relative_sync,
    shift_losses,
    speech_mfcc,
)
from asva_metrics.networks.i3d import Convolution, MaxPool

KEYS = {
    "inception": "inception_fid",
    "i3d": "i3d_hassony",
    "i3d-piergiaj": "i3d_piergiaj",
    "avsync": "avsync_classifier",
}


def shapes_of(folder, family):
    return json.loads((folder / "asva" / f"full_keys_{KEYS[family]}.json").read_text(encoding="utf-8"))


@pytest.fixture
def filled(parity, parity_folder, made_by_rule):
    def fill(network, family):
        shapes = shapes_of(parity_folder, family)
        state = made_by_rule(shapes, parity.config["SALT"], parity.config["GAIN"])
        network.load_state_dict(convert_network(state, family))
        return network.eval()

    return fill


@pytest.mark.parametrize("family", KEYS, ids=[f"full_keys_{name}" for name in KEYS.values()])
def test_full_size_keys_are_strict_both_ways(family, parity_folder):
    if not parity_folder.exists():
        pytest.skip(f"no parity data under {parity_folder} (set ASVA_PARITY_DIR)")
    shapes = shapes_of(parity_folder, family)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    ours = convert_network(state, family)
    assert len(ours) == len(state)
    assert {key: list(value.shape) for key, value in invert_network(ours, family).items()} == shapes
    key = next(key for key in state if key.endswith("weight"))
    with pytest.raises(ValueError, match="1 missing"):
        convert_network({k: v for k, v in state.items() if k != key}, family)
    with pytest.raises(ValueError, match="1 unknown: other"):
        convert_network({**state, "other": state[key]}, family)
    with pytest.raises(ValueError, match="must have the shapes"):
        convert_network({**state, key: state[key].flatten()}, family)
    with pytest.raises(ValueError, match="missing"):
        invert_network({k: v for k, v in list(ours.items())[1:]}, family)


def test_unknown_family():
    with pytest.raises(ValueError, match="`family` must be one of inception, i3d"):
        convert_network({}, "vgg")


@torch.no_grad()
@pytest.mark.parity("asva/inception_*.json")
def test_inception_matches(parity, filled):
    network = filled(FIDInception(), "inception")
    seen = []
    hooks = [stage.register_forward_hook(lambda _, __, out: seen.append(out)) for stage in network.stages]
    images = fid_images(parity.inputs["image_uint8"], resize="avsync")
    torch.testing.assert_close(images[..., ::4, ::4], parity.outputs["preprocessed_sample"], rtol=0, atol=2e-4)
    features = network(images)
    for hook in hooks:
        hook.remove()
    expected = parity.outputs
    for stage, name in ((0, "pool0_mean"), (1, "pool1_mean"), (2, "preaux_mean")):
        torch.testing.assert_close(seen[stage].mean(dim=(2, 3)), expected[name], rtol=0, atol=2e-4)
    torch.testing.assert_close(features, expected["features"], rtol=0, atol=2e-4)
    torch.testing.assert_close(network.classes(features), expected["logits"], rtol=0, atol=2e-4)
    torch.testing.assert_close(network(parity.inputs["direct"]), expected["features_direct"], rtol=0, atol=2e-4)


@torch.no_grad()
@pytest.mark.parametrize("style", ["hassony", "piergiaj"])
@pytest.mark.parity("asva/i3d_*.json")
def test_i3d_matches(parity, filled, style):
    family = "i3d" if style == "hassony" else "i3d-piergiaj"
    network = filled(I3D(style=style), family)
    video = fvd_video(parity.inputs["video_uint8"].transpose(1, 2))
    sample = video.transpose(1, 2)[:, :, ::3, ::8, ::8]
    torch.testing.assert_close(sample, parity.outputs["preprocessed_sample"], rtol=0, atol=2e-4)
    large = parity.inputs["video2"].transpose(1, 2).repeat_interleave(28, 3).repeat_interleave(28, 4)
    for clip, name in ((video, f"logits_{style}"), (large, f"logits_{style}_video2")):
        torch.testing.assert_close(network(clip), parity.outputs[name], rtol=0, atol=2e-4)
    if style == "piergiaj":
        embedded = network.embed(video).mean(dim=(2, 3, 4))
        torch.testing.assert_close(embedded, parity.outputs["feat1024_piergiaj"], rtol=0, atol=2e-4)
    else:
        torch.testing.assert_close(network(video).softmax(-1), parity.outputs["softmax_hassony"], rtol=0, atol=2e-4)


def naive_same(video, size, stride, take):
    """TensorFlow's "SAME" along time, one output at a time: ``take`` of each window of (c, t, h, w) in float64."""
    length = video.shape[1]
    count = -(-length // stride)
    before = max((count - 1) * stride + size - length, 0) // 2
    windows = [
        [t for t in range(i * stride - before, i * stride - before + size) if 0 <= t < length] for i in range(count)
    ]
    return torch.stack([take(video[:, w], w[0] - (i * stride - before)) for i, w in enumerate(windows)], dim=1)


@torch.no_grad()
@pytest.mark.parametrize("style", ["hassony", "piergiaj"])
@pytest.mark.parametrize("length", [5, 6, 7, 8, 9])
def test_i3d_pads_time_by_what_the_stride_leaves(length, style):
    generator = torch.Generator().manual_seed(length)
    video = torch.rand(1, 2, length, 2, 2, generator=generator, dtype=torch.float64)
    unit = Convolution(2, 3, 7, style, stride=2).double().eval()
    unit.conv.weight.data = torch.randn(3, 2, 7, 1, 1, generator=generator, dtype=torch.float64)
    unit.conv.kernel_size, unit.conv.stride = (7, 1, 1), (2, 1, 1)

    def weighed(window, first):
        kernel = unit.conv.weight[:, :, first : first + window.shape[1], 0, 0]
        return torch.einsum("oct,cthw->ohw", kernel, window).relu() / (1 + unit.norm.eps) ** 0.5

    torch.testing.assert_close(unit(video)[0], naive_same(video[0], 7, 2, weighed), rtol=0, atol=1e-12)
    for size in (3, 2):
        pooled = MaxPool((size, 1, 1), (2, 1, 1), style)(video)[0]
        torch.testing.assert_close(pooled, naive_same(video[0], size, 2, lambda window, _: window.amax(1)))


@torch.no_grad()
def test_i3d_sees_nine_frames():
    assert I3D().eval()(torch.zeros(1, 9, 3, 224, 224)).shape == (1, 400)


@torch.no_grad()
@pytest.mark.parity("asva/avsync_*.json")
def test_avsync_classifier_matches(parity, filled):
    network = filled(AVSyncClassifier(), "avsync")
    given, expected = parity.inputs, parity.outputs
    seen = {}

    def keep(name, dims):
        return lambda _, __, out: seen.update({name: out.mean(dim=dims)})

    hooks = [network.audio_stem.register_forward_hook(keep("audio_conv1_mean", 2))]
    hooks += [b.register_forward_hook(keep(f"audio_block{i}_mean", 2)) for i, b in enumerate(network.audio_blocks, 1)]
    hooks.append(network.video_stem.register_forward_hook(keep("video_conv1_mean", (3, 4))))
    hooks += [
        b.register_forward_hook(keep(f"video_conv{i}x_mean", (3, 4))) for i, b in enumerate(network.video_blocks, 2)
    ]
    audio, video = network.embed_audio(given["audio"]), network.embed_video(given["video"].transpose(1, 2))
    for hook in hooks:
        hook.remove()
    seen |= {"audio_embedding": audio, "video_embedding": video, "phi": network.score(audio, video)}
    for name, value in seen.items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=2e-4, msg=lambda text, n=name: f"{n}: {text}")

    raw, reference = (clip_video(given[name].transpose(1, 2)) for name in ("raw_video_uint8", "raw_ref_video_uint8"))
    sample = raw.transpose(1, 2)[:, :, :2, ::8, ::8]
    torch.testing.assert_close(sample, expected["preprocessed_sample"], rtol=0, atol=2e-4)
    mel = audio[:1], network.embed_audio(given["ref_audio"])
    clips = network.embed_video(torch.cat((raw, reference))).split(1)
    phi = {"score": network.score(mel[0], clips[0]), "score_ref": network.score(mel[0], clips[1])}
    other = network.score(mel[1], clips[0])
    phi["relsync_ref_video"] = torch.tensor(relative_sync(phi["score"], phi["score_ref"]), dtype=torch.float32)
    phi["relsync_ref_audio"] = torch.tensor(relative_sync(phi["score"], other), dtype=torch.float32)
    for name, value in phi.items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=2e-4)

    sounds = network.embed_audio(given["ctr_audio"].flatten(0, 1)).unflatten(0, (2, 3))
    pictures = network.embed_video(given["ctr_video"].flatten(0, 1).transpose(1, 2)).unflatten(0, (2, 3))
    torch.testing.assert_close(sounds, expected["ctr_audio_embedding"], rtol=0, atol=2e-4)
    torch.testing.assert_close(pictures, expected["ctr_video_embedding"], rtol=0, atol=2e-4)
    scores = network.score(sounds[:, :, None], pictures[:, None])
    for value, name in zip(shift_losses(scores), ("av_loss", "va_loss"), strict=True):
        torch.testing.assert_close(value, expected[name], rtol=0, atol=2e-4)
    right = (scores.argmax(2) == torch.arange(3)).float().mean(), (scores.argmax(1) == torch.arange(3)).float().mean()
    torch.testing.assert_close(torch.stack(right), torch.stack([expected["av_acc"], expected["va_acc"]]))


def syncnet_weights(shapes):
    def tensor(name, shape):
        a = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).randn(*shape)
        if name.endswith("running_var"):
            a = 1 + 0.1 * np.abs(a)
        elif len(shape) >= 2:
            a = 1.2 * a / np.sqrt(np.prod(shape[1:]))
        else:
            a = 1 + 0.1 * a if name.endswith("weight") else 0.02 * a
        return torch.from_numpy(a.astype(np.float32))

    return {name: tensor(name, shape) for name, shape in shapes.items()}


@torch.no_grad()
@pytest.mark.parity("mtv/syncnet_net_params.json")
def test_syncnet_matches(parity, note):
    state = syncnet_weights(parity.config["tensors"])
    network = SyncNet().eval()
    network.load_state_dict(convert_network(state, "syncnet"))
    named = invert_network(network.state_dict(), "syncnet")
    assert all(torch.equal(named[key], value) for key, value in state.items())
    paths = sorted(parity.folder.glob("syncnet_net_*.npz"))
    assert paths
    for path in paths:
        stored, half = dict(np.load(path)), path.stem.rsplit("_", 1)[1]
        mfcc = speech_mfcc(stored["pcm"])
        note(mfcc, stored["mfcc"])
        np.testing.assert_allclose(mfcc, stored["mfcc"], rtol=0, atol=1e-6)
        windows = torch.from_numpy(mfcc).float().unfold(1, 20, 4)[:, :3].movedim(1, 0)[:, None]
        rule = np.random.RandomState(zlib.crc32(f"syncnet_net/{half}".encode()))
        rule.randn(len(stored["pcm"]))
        lips = torch.from_numpy(rule.randint(0, 256, size=(2, 3, 5, 224, 224)).astype(np.float32))
        for actual, name in (
            (network.embed_audio(windows), "aud_out"),
            (network.embed_lips(lips.transpose(1, 2)), "lip_out"),
        ):
            scale = np.abs(stored[name]).max()
            note(actual / scale, stored[name] / scale)
            assert (actual - torch.from_numpy(stored[name])).abs().max() <= 1e-4 * scale


def test_a_face_track_is_cut_into_windows():
    network = SyncNet().eval()
    network.embed_lips = lambda frames: frames.mean(dim=(2, 3, 4))  # (n, 5): the frames of each window
    network.embed_audio = lambda mfcc: mfcc[:, 0, 0, ::4]
    face = torch.arange(12.0)[:, None, None, None].expand(12, 3, 224, 224)
    mfcc = torch.arange(48.0).expand(13, 48)
    lips, voice = network.embed_track(face, mfcc)
    assert lips.shape == (7, 5)
    torch.testing.assert_close(voice, 4 * lips)  # both start at the same frame
    with pytest.raises(ValueError, match="at least 6 frames"):
        network.embed_track(face[:5], mfcc)


def test_mfcc_of_short_and_float_sound():
    assert speech_mfcc(np.zeros(100, np.int16)).shape == (13, 1)
    tone = np.sin(np.arange(4000) / 5)
    np.testing.assert_allclose(speech_mfcc(tone), speech_mfcc(np.round(tone * 32767).astype(np.int16)))
    with pytest.raises(ValueError, match="`samples` must be finite sound"):
        speech_mfcc([])


def test_sizes_of_preprocessing():
    video = torch.randint(0, 256, (1, 2, 3, 40, 60), dtype=torch.uint8)
    assert fvd_video(video).shape == fvd_video(video, resize="common-metrics").shape == (1, 2, 3, 224, 224)
    assert fid_images(video[0]).shape == (2, 3, 299, 299)
    torch.testing.assert_close(clip_video(video), clip_video(video.float() / 255))
    for bad in (video.float(), video.float() / 255 * torch.nan, video.long()):
        with pytest.raises(ValueError, match=r"`video` must be uint8 or float in \[0, 1\]"):
            clip_video(bad)
    with pytest.raises(ValueError, match=r"`video` must have shape \(b, t, 3, h, w\)"):
        clip_video(video[0])
    with pytest.raises(ValueError, match="`resize` must be one of avsync, pytorch-fid"):
        fid_images(video[0], resize="299")


def test_networks_refuse_what_they_cannot_see():
    with pytest.raises(ValueError, match="at least 9 frames of 193 x 193"), torch.device("meta"):
        I3D()(torch.zeros(1, 8, 3, 224, 224))
    with pytest.raises(ValueError, match="with sides of 75 or more"), torch.device("meta"):
        FIDInception()(torch.zeros(1, 3, 64, 64))
    small = AVSyncClassifier(widths=(4, 4, 8, 8), hidden=(8, 4)).eval()
    mel, video = torch.zeros(2, 1, 128, 204), torch.zeros(2, 12, 3, 32, 32)
    assert small(mel, video).shape == (2,)
    with pytest.raises(ValueError, match="as many clips as `mel`"):
        small(mel, video[:1])
    with pytest.raises(ValueError, match=r"`phi` must have shape \(b, k, k\)"):
        shift_losses(torch.zeros(2, 3))
