"""What users of diffusers expect: every network and pipeline of ours beside every feature, a test for each cell."""

import re
from importlib.util import find_spec

import pytest
import torch
from fixtures import networks, pipelines
from fixtures.diffusers_reasons import WITHOUT, reason

REFUSALS = (AssertionError, AttributeError, TypeError, ValueError)


def cells(rows, columns):
    """Rows by columns; what is compiled takes minutes in all, and the checkpoints of every network are no news."""
    return [
        pytest.param(row, column, marks=marks(row, column), id=f"{row}: {column}") for row in rows for column in columns
    ]


def marks(row, column):
    if "torchao" in column:
        return [pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is not installed")]
    long = column in ("compiled blocks", "checkpointing") and row != "AVSyncDUNet, I2VD" and not reason(row, column)
    return [pytest.mark.slow] if long or (row in pipelines.METHODS and row not in ("avsyncd", "mtv")) else []


def works(trial, name, feature):
    """Try a cell: what has a reason not to work must fail, or the reason is out of date."""
    if not reason(name, feature):
        return trial()
    with pytest.raises(REFUSALS):
        trial()


@pytest.mark.parametrize(("name", "feature"), cells(networks.NETWORKS, networks.FEATURES))
def test_networks(name, feature, tmp_path):
    works(lambda: networks.FEATURES[feature](*networks.build(name), tmp_path), name, feature)


@pytest.mark.parametrize(("method", "feature"), cells(pipelines.METHODS, pipelines.FEATURES))
def test_pipelines(method, feature, method_model, tmp_path):
    from asva_pipelines import load_pipeline

    folder = method_model(method)
    pipeline = load_pipeline(folder, device="cpu", dtype="float32")
    works(lambda: pipelines.FEATURES[feature](pipeline, folder, tmp_path), method, feature)


def test_reasons_are_of_cells_that_there_are():
    every = {(row, column) for row in networks.NETWORKS for column in networks.FEATURES}
    assert WITHOUT.keys() <= every | {(row, column) for row in pipelines.METHODS for column in pipelines.FEATURES}


@pytest.mark.parametrize("method", ["avsyncd", "mtv"])
def test_a_model_on_the_hub_comes_back_by_its_card(method, method_model, hub):
    from asva_pipelines import load_pipeline

    pipeline = load_pipeline(method_model(method), device="cpu", dtype="float32")
    pipeline.push_to_hub("someone/small", token="none")
    card = hub.files["someone/small", "README.md"].read_text(encoding="utf-8")
    named = re.search(r'load_pipeline\("(.+)"\)', card)[1]
    again = load_pipeline(named, device="cpu", dtype="float32", confirm=lambda plan: True)
    assert torch.equal(pipelines.video(again), pipelines.video(pipeline))
