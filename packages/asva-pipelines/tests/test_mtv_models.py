"""The released MTV becomes a folder that samples, strictly."""

import pytest
import torch

from asva_audio import Audio
from asva_dit import restore_mtv
from asva_pipelines import convert_model, load_pipeline
from asva_pipelines.mtv.method import CHECKPOINT, COGVIDEOX, WAV2VEC
from asva_pipelines.mtv.parts import read_part
from asva_weights import ModelError

WINDOW = {"num_frames": 9, "height": 16, "width": 16, "num_inference_steps": 1}


@pytest.fixture(scope="module")
def released(make_pipeline, tmp_path_factory):
    """A small model under the names of the released one, with what it needs beside it."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    import asva_dit.release as release
    from asva_dit import MTVTransformer3DModel, save_mtv_checkpoint

    folder, small = tmp_path_factory.mktemp("mtv"), make_pipeline("mtv")
    config = {name: value for name, value in small.transformer.config.items() if not name.startswith("_")}
    config |= {"audio_temporal": "tied_conv", "audio_layers": 2, "audio_channels": 16, "zero_init": False}
    ear = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    save_mtv_checkpoint(MTVTransformer3DModel(**config), folder / CHECKPOINT)
    for part in ("vae", "text_encoder", "tokenizer"):
        getattr(small, part).save_pretrained(folder / COGVIDEOX / part)
    Wav2Vec2Model(ear).save_pretrained(folder / WAV2VEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "mtv_config", lambda num_speakers=1: config)
        patch.setattr("asva_pipelines.mtv.released.RELEASED_SETTINGS", WINDOW | {"fps": 8})
        yield folder


def test_a_released_file_becomes_a_model_that_samples(released, tmp_path):
    family = convert_model(released, tmp_path / "model")
    assert family.name == "mtv"
    pipeline = load_pipeline(tmp_path / "model", device="cpu")
    sound = Audio(0.1 * torch.randn(1, 32000, generator=torch.Generator().manual_seed(0)), 16000)
    assert pipeline("a drum", speech=sound, num_frames=12).frames.shape == (12, 16, 16, 3)
    prefix, state = "model.diffusion_model.", torch.load(released / CHECKPOINT, weights_only=True)["module"]
    again = {prefix + name: value for name, value in restore_mtv(pipeline.transformer.state_dict()).items()}
    assert again.keys() == state.keys() and all(torch.equal(again[name], state[name]) for name in state)


def test_a_weight_too_few_or_too_many_is_named(released, tmp_path):
    state = torch.load(released / CHECKPOINT, weights_only=True)["module"]
    given = {COGVIDEOX: released / COGVIDEOX, WAV2VEC: released / WAV2VEC}
    for change in ("missing", "unknown"):
        other = dict(state)
        if change == "missing":
            other.pop("model.diffusion_model.transformer.final_layernorm.weight")
        else:
            other["model.diffusion_model.more"] = torch.zeros(1)
        torch.save({"module": other}, tmp_path / CHECKPOINT)
        with pytest.raises(ModelError, match=f"not a whole MTV checkpoint: .*1 {change}"):
            convert_model(tmp_path, tmp_path / "out", given=given)
        assert not (tmp_path / "out").exists()


def test_what_stands_beside_must_be_there(released, tmp_path):
    (tmp_path / CHECKPOINT).symlink_to(released / CHECKPOINT)
    with pytest.raises(ModelError, match=r"MTV needs 'CogVideoX-5b'.*`--cogvideox`"):
        convert_model(tmp_path, tmp_path / "out")


def test_the_text_encoder_is_not_read_to_write_the_index(released, tmp_path, monkeypatch):
    """T5 XXL in float32 would take 19 GB."""
    read = []

    def note(name, folder):
        read.append(name)
        return read_part(name, folder)

    monkeypatch.setattr("asva_pipelines.mtv.parts.read_part", note)
    convert_model(released, tmp_path / "model")
    assert read == ["audio_encoder"]
