"""Writes the ledger of docs/numerics.md from what the parity tests record.

A parity test calls ``record_property("parity:<fixture>", difference)``, and for exact fixtures records 0.0.
"""

import datetime
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
LEDGER = ROOT / "docs" / "numerics.md"
BEGIN, END = "<!-- parity table -->\n", "<!-- end of parity table -->"
# The longest prefix that fits a fixture's name counts.
TOLERANCES = {
    "a_unet": "1e-5", "a2_unet": "1e-5", "b_unet": "1e-5", "c_resampler": "1e-5", "d_audio": "1e-5", "d2_audio": "1e-5",
    "e_vae": "2e-5", "f_ddim": "1e-4", "f2_ddim": "1e-4", "g_keyframe_select": "exact", "h_localizer": "1e-5",
    "i_noise": "1e-6", "j_imagebind": "2e-5", "j2_imagebind": "2e-5", "j3_posembed": "2e-5", "k_openclip": "2e-5",
    "l_openclip": "2e-5", "m_stage": "1e-4", "full_keys": "exact",
}  # fmt: skip


def main() -> None:
    """Run the tests of the packages that are named, all by default, and rewrite the table."""
    targets = sys.argv[1:] or ["packages"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *targets], cwd=ROOT
        ).returncode
        found = read_report(report)
    if not found:
        sys.exit("No test recorded a parity property: is `ASVA_PARITY_DIR` set to the folder of the fixtures?")
    text = LEDGER.read_text()
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    LEDGER.write_text(head + BEGIN + table(found) + END + tail)
    sys.exit(code)


def read_report(path: Path) -> dict[tuple[str, str], float]:
    """The largest difference of each fixture by package; a fixture may be recorded by several tests."""
    largest: dict[tuple[str, str], float] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        package = case.get("classname", "").split(".")[1]
        for entry in case.iter("property"):
            name, value = entry.get("name", ""), entry.get("value", "")
            if name.startswith("parity:"):
                key = (package, name.removeprefix("parity:"))
                largest[key] = max(largest.get(key, 0.0), float(value))
    return largest


def table(found: dict[tuple[str, str], float]) -> str:
    """The rows in Markdown, by package and fixture."""
    today = datetime.date.today().isoformat()
    rows = [
        f"| {package} | {fixture} | {tolerance(fixture)} | {difference:.1e} | {today} |"
        for (package, fixture), difference in sorted(found.items())
    ]
    return "\n".join(
        ["| package | fixture | tolerance | largest difference | date |", "|---|---|---|---|---|", *rows, ""]
    )


def tolerance(fixture: str) -> str:
    """What the fixture's test asserts, largest absolute difference."""
    fitting = [prefix for prefix in TOLERANCES if fixture.removeprefix("keyvid/").startswith(prefix)]
    return TOLERANCES[max(fitting, key=len)] if fitting else "see its test"


if __name__ == "__main__":
    main()
