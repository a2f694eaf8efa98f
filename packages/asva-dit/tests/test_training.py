"""What learns."""

import torch

from asva_dit import MTVTransformer3DModel, freeze_all_but_control, mtv_config


def test_control_and_the_attention_of_the_base_learn(make_model):
    model = make_model()
    learning = freeze_all_but_control(model)
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == set(learning)
    base = {name.split(".", 2)[2] for name in learning if ".control." not in f".{name}"}
    layers = [*(f"attn1.to_{part}" for part in ("q", "k", "v", "out.0")), "norm2.norm"]
    assert base == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert all(".control." in f".{name}" for name in freeze_all_but_control(model, backbone_attention=False))
    assert not model.transformer_blocks[0].attn1.to_q.weight.requires_grad


def test_published_attention_is_1_59_billion():
    with torch.device("meta"):
        model = MTVTransformer3DModel(**mtv_config())
    learning = freeze_all_but_control(model)
    base = sum(parameter.numel() for name, parameter in learning.items() if ".control." not in f".{name}")
    assert round(base / 1e9, 2) == 1.59
