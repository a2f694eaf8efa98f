"""The command line in this process."""

import pytest


class Ran:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def complaint(self) -> str:
        """The last line on stderr, where errors stand."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


@pytest.fixture
def asva(capsys, monkeypatch, tmp_path):
    """``asva("sample", ...)`` in this process, in an empty folder, with caches of its own."""
    from asva.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(*words: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words], prog_name="asva")
        return Ran(ended.value.code, *capsys.readouterr())

    return run
