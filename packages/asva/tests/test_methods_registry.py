"""The registry of methods agrees with the pipelines and with the command."""

import pytest
from fixtures.methods import METHODS
from typer.main import get_command

from asva.cli import app
from asva_pipelines import StaticPipeline, load_pipeline, method_of
from asva_pipelines.settings import call_arguments
from asva_weights import ModelError


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_options_and_arguments_exist(method):
    command = get_command(app).commands["sample"]
    known = {option for parameter in command.params for option in parameter.opts}
    assert method.options.keys() <= known
    arguments = call_arguments(method.pipeline_class)
    assert {name for names in method.options.values() for name in names} <= arguments
    assert {"image", "audio", "prompt", "generator", "height", "width", "callback_on_step_end"} <= arguments


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_a_saved_model_is_of_its_method(method):
    part = [None, None] if not method.hears else ["asva_audio", "Encoder"]
    index = {"_class_name": method.pipeline_name} | ({method.ear: part} if method.ear else {})
    assert method_of(index) is method
    assert [other.name for other in METHODS.values() if other.accepts(index)] == [method.name]


@pytest.mark.parametrize("index", [{}, {"_class_name": "FluxPipeline"}, {"_class_name": None}])
def test_other_models_are_of_no_method(index):
    assert method_of(index) is None


def test_settings_are_the_models_or_the_classes():
    aadiff = METHODS["aadiff"]
    assert aadiff.settings({"_class_name": "StableDiffusionPipeline", "num_frames": "x"})["num_frames"] == 12
    index = {"_class_name": "AADiffPipeline", "num_frames": 3, "fps": 6, "height": 8, "width": 8, "sample_rate": 16000}
    assert aadiff.settings(index)["num_frames"] == 3
    with pytest.raises(KeyError, match="sample_rate"):
        aadiff.settings({name: value for name, value in index.items() if name != "sample_rate"})
    with pytest.raises(KeyError, match="num_keyframes"):
        METHODS["keyvid"].settings(index | {"_class_name": "KeyVIDPipeline"})


def test_loading_by_method():
    assert isinstance(load_pipeline(method="static"), StaticPipeline)
    with pytest.raises(ModelError, match=r"`method` must be one of keyvid, .*, got 'magic'"):
        load_pipeline(method="magic")
    with pytest.raises(ModelError, match="for the method keyvid, not avsyncd"):
        load_pipeline("tiny", method="avsyncd", device="cpu")
