"""Muon with AdamW: who moves what, how far, and going on exactly."""

import pytest
import torch
from torch import nn

from asva_train import LoopRecipe
from asva_train.optimizer import MuonAdamW, make_optimizer


def _network():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(16, 32, 3), nn.Flatten(), nn.Linear(32 * 4, 20), nn.Linear(20, 1))


def _steps(network, optimizer, first, last):
    for step in range(first, last):
        x = torch.randn(8, 16, 4, 4, generator=torch.Generator().manual_seed(step))
        loss = (network(x)[:, 0] - x.mean((1, 2, 3))).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def test_kernels_move_along_an_orthogonal_matrix_and_the_rest_as_in_adam():
    network, draws = _network(), torch.Generator().manual_seed(0)
    before = [p.detach().clone() for p in network.parameters()]
    for p in network.parameters():
        p.grad = torch.randn(p.shape, generator=draws)
    MuonAdamW(network.parameters(), 0.01, weight_decay=0.0).step()
    moved = [p.detach() - old for old, p in zip(before, network.parameters(), strict=True)]
    for kernel in (moved[0].flatten(1), moved[2]):
        values = torch.linalg.svdvals(kernel) / (0.01 * 0.2 * max(kernel.shape) ** 0.5)
        assert 0.6 < values.min() and values.max() < 1.3
    for other in (moved[1], moved[3], moved[4], moved[5]):  # the last kernel has one row
        assert other.abs().max() == pytest.approx(0.01, rel=1e-3)


def test_it_learns():
    network = _network()
    optimizer = MuonAdamW(network.parameters(), 0.003)
    first = _steps(network, optimizer, 0, 1)
    assert _steps(network, optimizer, 1, 60) < 0.5 * first


def test_a_loaded_state_goes_on_exactly():
    straight, stopped, again = _network(), _network(), _network()
    _steps(straight, MuonAdamW(straight.parameters(), 0.01), 0, 6)
    optimizer = MuonAdamW(stopped.parameters(), 0.01)
    _steps(stopped, optimizer, 0, 3)
    again.load_state_dict(stopped.state_dict())
    resumed = MuonAdamW(again.parameters(), 0.01)
    resumed.load_state_dict(optimizer.state_dict())
    _steps(again, resumed, 3, 6)
    for a, b in zip(straight.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_the_recipe_names_it(name):
    recipe = LoopRecipe(max_steps=1, batch_size=1, learning_rate=0.1, optimizer=name)
    optimizer = make_optimizer(recipe, _network().parameters())
    assert isinstance(optimizer, MuonAdamW if name == "muon" else torch.optim.AdamW)
    assert optimizer.param_groups[0]["lr"] == 0.1
