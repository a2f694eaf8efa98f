"""What only a process of its own shows: nothing else has imported the components' modules."""

import os
import subprocess
import sys

from asva.cli import commands


def test_a_model_folder_loads_where_nothing_is_imported_yet(small_model):
    script = "import sys; from asva_pipelines import KeyVIDPipeline; KeyVIDPipeline.from_pretrained(sys.argv[1])"
    ended = subprocess.run([sys.executable, "-c", script, str(small_model)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_the_command_lets_waiting_threads_sleep(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    seen = []
    monkeypatch.setattr(commands, "app", lambda: seen.append(os.environ["OMP_WAIT_POLICY"]))
    commands.main()
    assert seen == ["PASSIVE"]
    monkeypatch.delenv("OMP_WAIT_POLICY")
