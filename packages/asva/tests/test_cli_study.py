"""`asva study` as a command: begins, says what cannot be compared in one line, and prints what was answered."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from asva_pages import Raters, begin_study


def test_results_of_a_study_with_own_questions(asva, rated_systems, tmp_path):
    begin_study(tmp_path / "study", rated_systems, questions={"life": "Which is livelier?"}, trials=6, checks=0)
    raters = Raters(tmp_path / "study")
    raters.enter("ann")
    for place, trial in enumerate(raters.answers("ann")[0]):
        side = "left" if trial.left == "grey" else "right" if trial.right == "grey" else "same"
        raters.save("ann", {"trial": place, "answers": {"life": side}})
    ran = asva("study", tmp_path / "study", "--results", "--json")
    systems = json.loads(ran.out)["questions"]["life"]["systems"]
    assert {name: one["win_rate"]["value"] for name, one in systems.items()} == {
        "bright": 0.25,
        "dark": 0.25,
        "grey": 1,
    }
    shown = asva("study", tmp_path / "study", "--results").out
    assert "Bradley-Terry" in shown and "grey" in shown and "ann" in shown
    assert (tmp_path / "study" / "ratings-life.csv").read_text(encoding="utf-8").count("grey") == 4


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--results"], "`folder` must hold a study"),
        (["-g", "{dark}"], "must have videos of the same names"),
        (["-g", "{dark}", "-g", "{grey}", "--question", "life"], "`--question` must be NAME=TEXT"),
        (["-g", "{dark}", "-g", "{grey}", "--trials", 3], "`trials` must lie between 1 and 2"),
        (["-g", "{dark}", "-g", "{tmp}/none"], "must be an existing folder"),
    ],
)
def test_bad_input_is_one_line(asva, rated_systems, tmp_path, words, complaint):
    ran = asva("study", "study", *[str(word).format(**rated_systems, tmp=tmp_path) for word in words])
    assert ran.code in (1, 2) and complaint in ran.complaint and len(ran.err.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
def test_it_serves_until_ctrl_c_and_writes_what_was_answered(rated_systems, tmp_path):
    folders = [word for name in ("dark", "bright") for word in ("-g", f"{name}={rated_systems[name]}")]
    command = [sys.executable, "-m", "asva", "study", "study", *folders, "--trials", "1", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipes) as process:
        address = process.stdout.readline().strip()
        body = json.dumps({"rater": "ann"}).encode()
        with urllib.request.urlopen(f"{address}raters", data=body, timeout=120) as answer:
            assert json.load(answer)["rater"] == "ann"
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "ann" in out and (tmp_path / "study" / "results.json").is_file()
