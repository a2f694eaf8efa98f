"""What diffusers offers for memory and speed works on the model as on its base."""

import pytest
import torch
from diffusers import FirstBlockCacheConfig, PyramidAttentionBroadcastConfig
from diffusers.hooks import LayerSkipConfig, apply_layer_skip
from peft import LoraConfig


@pytest.fixture
def model(make_model):
    return make_model(num_layers=3)


@pytest.fixture
def inputs(model, make_inputs):
    return make_inputs(model)


@pytest.fixture
def answer(model, inputs):
    with torch.no_grad():
        return model(**inputs).sample


@torch.no_grad()
@pytest.mark.parametrize("kind", ["leaf_level", "block_level"])
def test_group_offloading(model, inputs, answer, kind):
    blocks = {"num_blocks_per_group": 1} if kind == "block_level" else {}
    model.enable_group_offload(torch.device("cpu"), torch.device("cpu"), offload_type=kind, **blocks)
    assert torch.equal(model(**inputs).sample, answer)


@torch.no_grad()
def test_group_offloading_to_disk(model, inputs, answer, tmp_path):
    where = {"offload_type": "leaf_level", "offload_to_disk_path": str(tmp_path)}
    model.enable_group_offload(torch.device("cpu"), torch.device("cpu"), **where)
    torch.testing.assert_close(model(**inputs).sample, answer, rtol=0, atol=1e-5)  # tensors lie elsewhere


@torch.no_grad()
def test_layerwise_casting(model, inputs, answer):
    model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    assert model.control.effects_tokens.proj_in.weight.dtype == torch.float8_e4m3fn
    cast = model(**inputs).sample
    assert cast.isfinite().all()
    assert not torch.equal(cast, answer)


def test_gradient_checkpointing_gives_the_same_gradients(model, inputs):
    def gradients():
        model.zero_grad()
        model(**inputs).sample.square().mean().backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    plain = gradients()
    model.train()
    model.enable_gradient_checkpointing()
    for one, other in zip(plain, gradients(), strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
def test_first_block_cache_skips_the_rest(model, inputs, answer):
    model.enable_cache(FirstBlockCacheConfig(threshold=1e6))
    calls = []
    model.transformer_blocks[1].control.register_forward_hook(lambda *_: calls.append(1))
    with model.cache_context("cond"):
        assert torch.equal(model(**inputs).sample, answer)
        torch.testing.assert_close(model(**inputs).sample, answer, rtol=0, atol=1e-4)
    assert calls == [1]
    model.disable_cache()


@torch.no_grad()
def test_pyramid_attention_broadcast(model, inputs, answer):
    steps = iter([900, 800])
    config = PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2, current_timestep_callback=lambda: next(steps, 700)
    )
    model.enable_cache(config)
    with model.cache_context("cond"):
        assert torch.equal(model(**inputs).sample, answer)
        assert model(**inputs).sample.isfinite().all()
    model.disable_cache()


@torch.no_grad()
def test_layer_skipping(model, inputs, answer):
    apply_layer_skip(model, LayerSkipConfig(indices=[1], fqn="transformer_blocks"))
    assert not torch.equal(model(**inputs).sample, answer)


@torch.no_grad()
def test_fused_projections(model, inputs, answer):
    model.fuse_qkv_projections()
    torch.testing.assert_close(model(**inputs).sample, answer, rtol=0, atol=1e-5)


def test_lora_trains_beside_frozen_weights(model, inputs, answer, tmp_path):
    model.add_adapter(LoraConfig(r=2, target_modules=["attn1.to_q", "attn1.to_v", "effects.to_q"]))
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert all("lora_" in name for name in trained)
    assert any("control.effects.to_q" in name for name in trained)
    assert torch.equal(model(**inputs).sample, answer)  # the second matrix starts at zero
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data += 0.5
    with torch.no_grad():
        changed = model(**inputs).sample
        assert not torch.allclose(changed, answer)
        assert torch.equal(model(**inputs, attention_kwargs={"scale": 0.0}).sample, answer)
    model.save_lora_adapter(tmp_path)
    model.delete_adapters("default")
    model.load_lora_adapter(str(tmp_path), prefix=None, weight_name="pytorch_lora_weights.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs).sample, changed)


@torch.no_grad()
def test_bfloat16(model, inputs, answer):
    model.to(torch.bfloat16)
    cast = {
        name: value.bfloat16() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for name, value in inputs.items()
    }
    mask = torch.tensor([[True, False, False]])
    sample = model(**cast, clean_frame_mask=mask, speech_scale=torch.tensor([0.5])).sample
    assert sample.dtype == torch.bfloat16
    assert sample.isfinite().all()
