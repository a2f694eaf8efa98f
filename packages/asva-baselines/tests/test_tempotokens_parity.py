"""TempoTokens' ears, words, network, sampling and loss equal the original's answers."""

import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet3DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from asva_audio.weights import read_beats
from asva_baselines.tempotokens.loss import TempoTokensLoss
from asva_baselines.tempotokens.mapper import TABLE, WORDS, convert_mapper
from asva_baselines.tempotokens.network import FrameWordsNetwork, all_layers, frame_contexts, predict_noise
from asva_unet import TextAudioGuidance, denoise

NAMES = ("temporal", "local1", "local2", "local3", "local4")


def words_of(tensors, frames):
    clip = tensors["class"][:, None].expand(-1, frames, -1)
    return torch.stack([*(tensors[name] for name in NAMES), clip], dim=2)


def text_encoder(config, state):
    """The original's table has a row for each of the six words, which are always overwritten."""
    known = CLIPTextConfig(**{name: value for name, value in config.items() if name != "note"})
    known.vocab_size += WORDS
    encoder = CLIPTextModel(known).eval()
    state = {name.removeprefix("text_model."): value for name, value in state.items()}
    state.pop("embeddings.position_ids", None)
    encoder.load_state_dict(state)
    return encoder


def network(config, state):
    unet = UNet3DConditionModel(**config).eval()
    unet.load_state_dict(state)
    return unet


def in_our_order(latents):
    return latents.transpose(-4, -3)


@pytest.mark.parity("baselines/tt_audio")
def test_ears_equal_the_originals(parity):
    beats = read_beats({"cfg": parity.config["beats"], "model": parity.state_below("beats.")})
    mapper = convert_mapper(parity.state_below("mapper."), num_frames=parity.config["mapper"]["seq_target_length"])
    with torch.no_grad():
        fbank = beats.spectrogram(parity.inputs["waveform"])
        features = all_layers(beats, parity.outputs["fbank"])
        words = mapper(all_layers(beats, fbank))
    torch.testing.assert_close(fbank, parity.outputs["fbank"], atol=1e-4, rtol=0)
    torch.testing.assert_close(features, parity.outputs["layers_cat"], atol=2e-5, rtol=0)
    last = parity.outputs["last"]
    torch.testing.assert_close(features[..., -last.shape[-1] :], last, atol=2e-5, rtol=0)
    torch.testing.assert_close(words, words_of(parity.outputs, words.shape[1]), atol=2e-5, rtol=0)


@pytest.mark.parity("baselines/tt_text")
def test_contexts_equal_the_originals(parity):
    encoder = text_encoder(parity.config, parity.state)
    words = words_of(parity.inputs, parity.inputs["temporal"].shape[1])
    with torch.no_grad():
        given = frame_contexts(encoder, parity.inputs["input_ids"][0], words).flatten(0, 1)
        nothing = encoder(parity.inputs["uncond_ids"]).last_hidden_state.expand_as(given)
    torch.testing.assert_close(torch.cat([nothing, given]), parity.outputs["prompt_embeds"], atol=1e-5, rtol=0)


@pytest.mark.parity("baselines/tt_unet")
def test_network_equals_the_originals(parity):
    unet, sample = network(parity.config, parity.state), in_our_order(parity.inputs["sample"])
    contexts = parity.inputs["encoder_hidden_states"].unflatten(0, sample.shape[:2])
    with torch.no_grad():
        answer = predict_noise(unet, sample, parity.inputs["timestep"], contexts)
        others = predict_noise(unet, sample, parity.inputs["timestep"], contexts.roll(1, dims=1))
    torch.testing.assert_close(answer, in_our_order(parity.outputs["sample"]), atol=2e-5, rtol=0)
    assert (answer - others).abs().max() > 1e-3, "each frame has words of its own"


@pytest.mark.parity("baselines/tt_sampling")
def test_trajectory_equals_the_originals(parity):
    config = parity.config
    mapper = convert_mapper(parity.state_below("mapper."), num_frames=config["mapper"]["seq_target_length"])
    encoder = text_encoder(config["text"], parity.state_below("text."))
    unet = network(config["unet"], parity.state_below("unet."))
    base = DDPMScheduler.from_config(config["base_scheduler"])
    scheduler = DPMSolverMultistepScheduler.from_config(base.config)
    steps, trajectory, noises = len(parity.outputs["timesteps"]), [], []
    step = scheduler.step
    scheduler.step = lambda noise, *others, **more: noises.append(noise) or step(noise, *others, **more)
    scale = float(parity.record["call"].partition("guidance_scale=")[2].partition(",")[0])
    with torch.no_grad():
        contexts = frame_contexts(encoder, parity.inputs["input_ids"][0], mapper(parity.inputs["audio_features"]))
        nothing = encoder(parity.inputs["uncond_ids"]).last_hidden_state[:, None].expand_as(contexts)
    prompt_embeds = torch.cat([nothing, contexts]).flatten(0, 1)
    torch.testing.assert_close(prompt_embeds, parity.outputs["prompt_embeds"], atol=1e-5, rtol=0)
    latents = denoise(
        FrameWordsNetwork(unet, {True: contexts, False: nothing}),
        in_our_order(parity.inputs["noise"]),
        scheduler,
        steps,
        guidance=TextAudioGuidance(audio=scale),
        prediction_type="epsilon",
        callback_on_step_end=lambda step, total, now: trajectory.append(now),
    )
    assert scheduler.timesteps.tolist() == parity.outputs["timesteps"].tolist()
    torch.testing.assert_close(scheduler.sigmas, parity.outputs["sigmas"], atol=0, rtol=1e-6)
    close = 1e-4 * max(1.0, float(parity.outputs["trajectory"].abs().max()))
    torch.testing.assert_close(torch.stack(trajectory), in_our_order(parity.outputs["trajectory"]), atol=close, rtol=0)
    torch.testing.assert_close(latents, in_our_order(parity.outputs["latents"]), atol=close, rtol=0)
    guided = in_our_order(parity.outputs["guided_noise"])
    torch.testing.assert_close(torch.stack(noises), guided, atol=1e-4 * float(guided.abs().max()), rtol=0)


@pytest.mark.parity("baselines/tt_train_loss")
def test_loss_and_gradients_equal_the_originals(parity):
    config, inputs = parity.config, parity.inputs
    parts = {
        "mapper": convert_mapper(parity.state_below("mapper."), num_frames=config["mapper"]["seq_target_length"]),
        "text_encoder": text_encoder(config["text"], parity.state_below("text.")),
        "unet": network(config["unet"], parity.state_below("unet.")),
    }
    scheduler = DDPMScheduler.from_config(config["base_scheduler"])
    loss = TempoTokensLoss(parts, scheduler, inputs["input_ids"][0])
    latents, noise = in_our_order(inputs["latents"]), in_our_order(inputs["noise"])
    losses = loss.losses(latents, inputs["audio_features"], inputs["timesteps"], noise, inputs["dropout_mask"].mT)
    losses["loss"].backward()
    torch.testing.assert_close(losses["loss"].detach(), parity.outputs["loss"], atol=1e-5, rtol=0)
    torch.testing.assert_close(losses["size"].detach(), parity.outputs["temporal_abs_mean"], atol=1e-5, rtol=0)
    gradients = TABLE.to_original({name: one.grad for name, one in parts["mapper"].named_parameters()})
    expected = {name.removeprefix("grad/"): one for name, one in parity.outputs.items() if name.startswith("grad/")}
    assert gradients.keys() == expected.keys()
    for name, one in expected.items():
        if one.norm() > 1e-6:
            assert (gradients[name] - one).norm() < 1e-3 * one.norm(), name
    assert all(one.grad is None for part in ("text_encoder", "unet") for one in parts[part].parameters())
