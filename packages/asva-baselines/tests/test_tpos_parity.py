"""TPoS' front end, ears, network, steps and loss equal the original's answers."""

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from asva_baselines.tpos.contexts import sound_contexts
from asva_baselines.tpos.encoder import MAPPER_TABLE, TABLE, convert_encoder, convert_mapper
from asva_baselines.tpos.loss import TPoSLoss
from asva_baselines.tpos.sampling import Edits, Grid, sample_ddim, sample_plms, start_from_picture
from asva_baselines.tpos.spectrogram import draw_places, placed_segments, spectrogram


def network(config, state):
    """Diffusers' network under the settings and with the weights of the original's."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    depth = len(config["channel_mult"])
    crossing = [2**level in config["attention_resolutions"] for level in range(depth)]
    ours = {
        "sample_size": config["image_size"],
        "block_out_channels": [config["model_channels"] * factor for factor in config["channel_mult"]],
        "layers_per_block": config["num_res_blocks"],
        "down_block_types": ["CrossAttnDownBlock2D" if one else "DownBlock2D" for one in crossing],
        "up_block_types": ["CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(crossing)],
        "cross_attention_dim": config["context_dim"],
        "attention_head_dim": config["num_heads"],
    }
    unet = UNet2DConditionModel(**ours).eval()
    unet.load_state_dict(convert_ldm_unet_checkpoint({f"model.diffusion_model.{k}": v for k, v in state.items()}, ours))
    return unet


@pytest.mark.parity("baselines/tpos_preprocess")
def test_segments_equal_the_originals(parity):
    sound = spectrogram(parity.inputs["pcm"].float() / 32768)
    head = parity.outputs["log_spectrogram_head"]
    torch.testing.assert_close(sound[:, : head.shape[1]], head, atol=1e-4, rtol=0)
    segments = placed_segments(sound, parity.inputs["offsets"].tolist())
    torch.testing.assert_close(segments, parity.outputs["segments"], atol=1e-4, rtol=0)
    volume = parity.outputs["volume_mean"].float()
    torch.testing.assert_close(segments.mean((1, 2)), volume, atol=1e-4, rtol=0)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([draw_places(sound.shape[1], generator) for _ in range(300)])
    least, most = parity.inputs["offset_ranges"].T
    assert (drawn.amin(0) >= least).all() and (drawn.amax(0) <= most).all()
    assert torch.equal(drawn[:, 1:].amax(0), most[1:]) and torch.equal(drawn[:, 1:].amin(0), least[1:])


@pytest.mark.parity("baselines/tpos_encoder")
def test_ears_and_words_equal_the_originals(parity):
    encoder = convert_encoder(parity.state_below("audio_encoder."))
    mapper = convert_mapper(parity.state_below("map_model."))
    inputs, expected = parity.inputs, parity.outputs
    with torch.no_grad():
        one, several = encoder(inputs["segments"][None]), encoder(inputs["batch_segments"])
        words = mapper(one.weighted * parity.config["audio_num"])
        seen = {
            "backbone_features": encoder.backbone(encoder.widen(inputs["segments"][:, None])).logits,
            "lstm_normalised": one.pieces,
            "weighted": one.weighted,
            "beta": one.importance[0],
            "mapped": words[0],
            "context": sound_contexts(words, inputs["text_embedding"])[0],
            "train_last": several.pieces[:, -1],
            "train_weighted": several.weighted,
            "train_beta": several.importance,
            "train_mapped": mapper(several.weighted.sum(1)),
        }
    assert seen.keys() == expected.keys()
    for name, one in seen.items():
        torch.testing.assert_close(
            one, expected[name], atol=2e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parity("baselines/tpos_unet")
def test_network_equals_the_originals(parity):
    unet, inputs = network(parity.config, parity.state), parity.inputs
    with torch.no_grad():
        answer = unet(inputs["sample"], inputs["timestep"], inputs["context"]).sample
    torch.testing.assert_close(answer, parity.outputs["sample"], atol=2e-5, rtol=0)


class Recorded(Edits):
    """Notes what each call answers: the guided noise, and what stays of the pull."""

    def __call__(self, *given):
        answer = super().__call__(*given)
        self.__dict__.setdefault("answers", []).append(answer)
        return answer


@pytest.mark.parity("baselines/tpos_sampling")
def test_steps_equal_the_originals(parity):
    config, inputs, outputs = parity.config, parity.inputs, parity.outputs
    unet = network(config["unet"], parity.state)
    schedule = {"beta_start": config["linear_start"], "beta_end": config["linear_end"]}
    scheduler = DDIMScheduler(config["timesteps"], **schedule, beta_schedule="scaled_linear")
    grid = Grid(scheduler.alphas_cumprod, config["steps"])
    assert grid.timesteps.flip(0).tolist() == outputs["timesteps"].tolist()
    torch.testing.assert_close(grid.alphas.float(), outputs["alphas"])
    torch.testing.assert_close(grid.alphas_prev.float(), outputs["alphas_prev"])
    common = {
        "text_guidance_scale": config["scale"],
        "threshold": config["threshold_value"],
        "below": config["param_t"],
    }

    def asked(*names):
        contexts = torch.cat([inputs[name] for name in ("empty", "prompt", *names)])

        @torch.no_grad()
        def predict(latents, timestep):
            return unet(latents.expand(len(contexts), -1, -1, -1), timestep, contexts).sample[:, None]

        return predict

    def compare(found, expected):
        close = 1e-4 * max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(torch.stack(found), expected, atol=close, rtol=0)

    for case, names in {"plain": (), "audio": ("audio",), "audio_text": ("audio", "text")}.items():
        trail = [inputs["x_T"]]
        edits = Recorded(edit_scale=config["se_value"], **common)
        sample_plms(asked(*names), inputs["x_T"], grid, edits, lambda i, n, now, trail=trail: trail.append(now))
        compare(trail, outputs[f"plms_{case}/x"])
        noises, velocities = map(list, zip(*edits.answers, strict=True))
        del noises[1], velocities[0]  # the first step calls twice
        compare(noises, outputs[f"plms_{case}/e_t"])
        compare(velocities, outputs[f"plms_{case}/v_t"])
    steps = config["t_enc"]
    start = start_from_picture(inputs["x0"], inputs["encode_noise"], grid, steps)
    torch.testing.assert_close(start, outputs["img2img/encoded"], atol=1e-5, rtol=0)
    trail = [start]
    edits = Edits(edit_scale=config["se_value"] / 2, **common)
    sample_ddim(asked("audio"), start, grid, edits, steps, lambda i, n, now: trail.append(now))
    compare(trail, outputs["img2img/x"])


@pytest.mark.parity("baselines/tpos_train_loss")
def test_loss_and_gradients_equal_the_originals(parity):
    encoder = convert_encoder(parity.state_below("audio_encoder."))
    mapper = convert_mapper(parity.state_below("map_model."))
    inputs = parity.inputs
    label = (inputs["clip_text_feature"], inputs["text_tokens_embedding"])
    losses = TPoSLoss(encoder, mapper).eval()(inputs["audio"], inputs["audio_aug"], *label)
    losses["loss"].backward()
    torch.testing.assert_close(losses["loss"].detach(), parity.outputs["loss"], atol=1e-5, rtol=0)
    last, whole, copy, _, error = parity.outputs["parts"]
    for name, one in {"meaning": last + whole, "copies": 2 * copy, "error": error}.items():
        torch.testing.assert_close(losses[name].detach(), one, atol=1e-5, rtol=0)
    corrected = TPoSLoss(encoder, mapper, copies="corrected").eval()
    with torch.no_grad():
        same, changed = (corrected(inputs["audio"], inputs[name], *label) for name in ("audio", "audio_aug"))
    assert changed["copies"] > same["copies"], "it grows with the change"
    gradients = {}
    for prefix, part, table in (("audio_encoder.", encoder, TABLE), ("map_model.", mapper, MAPPER_TABLE)):
        found = table.to_original({name: one.grad for name, one in part.named_parameters()})
        gradients |= {prefix + name: one for name, one in found.items()}
    for name, one in parity.outputs.items():
        if name.startswith("grad/") and one.norm() > 1e-6:
            ours = gradients[name.removeprefix("grad/")]
            assert (ours - one).norm() < 1e-3 * one.norm(), name


@pytest.mark.parity("baselines/full_keys_tpos")
def test_keys_are_those_of_the_full_size(parity):
    groups = parity.record["groups"]

    def empty(group):
        [found] = [value["keys"] for name, value in groups.items() if name.startswith(group)]
        return {name: torch.empty(shape, device="meta") for name, shape in found.items()}

    for group, convert, table in (
        ("audio_encoder", convert_encoder, TABLE),
        ("map_model", convert_mapper, MAPPER_TABLE),
    ):
        state = {name.removeprefix("module."): value for name, value in empty(group).items()}
        network = convert(empty(group))
        back = table.to_original(network.state_dict()) | table.rest(state)
        assert {name: value.shape for name, value in back.items()} == {name: x.shape for name, x in state.items()}
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768)
    converted = convert_ldm_unet_checkpoint(state := empty("sd-v1-4"), unet.config)
    assert {name: x.shape for name, x in converted.items()} == {name: x.shape for name, x in unet.state_dict().items()}
    assert {id(x) for x in converted.values()} == {id(x) for x in state.values()}, "each is taken"
    assert len(converted) == len(state), "and once"
