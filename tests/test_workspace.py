"""The house as a test: who may import whom, what each package declares and carries, what no file may hold."""

import ast
import graphlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
# A package imports only from rows above its own; the first six only asva_weights, asva_curate only asva_data.
ROWS = (
    "asva_weights asva_audio asva_unet asva_dit asva_interp asva_data asva_keyframe asva_metrics asva_eval asva_curate "
    "asva_pipelines asva_train asva_baselines asva_pages asva"
).split()
MAY_IMPORT = {name: set(ROWS[:row]) for row, name in enumerate(ROWS)}
MAY_IMPORT |= {name: {"asva_weights"} - {name} for name in ROWS[:6]} | {"asva_curate": {"asva_data"}}
DISTRIBUTIONS = {
    "asva": "asva-kit",
    "cv2": "opencv-python-headless",
    "decord": "decord2",
    "PIL": "pillow",
    "scenedetect": "scenedetect-headless",
    "yaml": "pyyaml",
}
USED_UNSEEN = {
    "asva-pipelines": {"accelerate"},  # diffusers offloads with it
    "asva-train": {"tensorboard"},  # torch.utils.tensorboard needs it
    "asva-unet": {"transformers"},  # its tables fill the text and image towers
}
HEAVY = ["diffusers", "transformers", "torchvision", "matplotlib", "accelerate", "tensorboard"]


def import_name(folder: str) -> str:
    return folder.replace("-", "_")


@cache
def declaration(folder: str) -> dict:
    return tomllib.loads((ROOT / "packages" / folder / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def tracked() -> list[Path]:
    """Every file that git follows or would follow; outside a checkout, every file of the known folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [
            str(path.relative_to(ROOT)) for top in ("packages", "docs", "tests") for path in ROOT.glob(f"{top}/**/*")
        ]
    paths = [ROOT / name for name in names]
    return [path for path in paths if path.is_file() and not in_environment(path)]


def in_environment(path: Path) -> bool:
    """Whether a file belongs to a virtual environment, which may lie in the checkout under any name."""
    return any((parent / "pyvenv.cfg").is_file() for parent in path.parents)


def sources(folder: str) -> list[Path]:
    home = ROOT / "packages" / folder / "src"
    return sorted(path for path in home.rglob("*") if path.suffix in {".py", ".pyi"})


def imported(tree: ast.AST) -> set[str]:
    """The first part of every absolute import, at the top and inside functions."""
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain} | {
        node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and not node.level
    }


def required(folder: str, *, optional: bool = False) -> dict[str, Requirement]:
    project = declaration(folder)["project"]
    entries = list(project["dependencies"])
    if optional:
        entries += [entry for group in project.get("optional-dependencies", {}).values() for entry in group]
    requirements = [Requirement(entry) for entry in entries]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def test_the_table_names_every_package():
    assert sorted(MAY_IMPORT) == [import_name(folder) for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS)
def test_packages_import_only_the_siblings_they_may(folder):
    own = import_name(folder)
    for path in sources(folder):
        siblings = (imported(ast.parse(path.read_text(encoding="utf-8"))) & set(MAY_IMPORT)) - {own}
        assert siblings <= MAY_IMPORT[own], f"{path.relative_to(ROOT)} imports {siblings - MAY_IMPORT[own]}."


def test_there_is_no_circle():
    """Among modules, with imports inside functions and under `TYPE_CHECKING`; a package does not import its own top."""
    graph = grimp.build_graph(*ROWS, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()  # a CycleError names the circle
    own_top = {module for module, found in imports.items() if module.split(".")[0] in found}
    assert not own_top, "Names of lazy tops hide circles: import from the module."


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_are_declared(folder):
    known = set(sys.stdlib_module_names) | {import_name(folder)}
    declared = set(required(folder, optional=True))
    for path in sources(folder):
        names = imported(ast.parse(path.read_text(encoding="utf-8"))) - known
        missing = {name for name in names if canonicalize_name(DISTRIBUTIONS.get(name, name)) not in declared}
        assert not missing, f"{path.relative_to(ROOT)} imports {missing}, which {folder} does not declare."


@pytest.mark.parametrize("folder", FOLDERS)
def test_declared_dependencies_are_used(folder):
    used = set().union(*(imported(ast.parse(path.read_text(encoding="utf-8"))) for path in sources(folder)))
    names = {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in used}
    unused = set(required(folder)) - names - USED_UNSEEN.get(folder, set())
    assert not unused, f"{folder} declares {unused} and never imports it."


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_package_is_complete(folder):
    home = ROOT / "packages" / folder
    for name in ("README.md", "CHANGELOG.md", "LICENSE", f"src/{import_name(folder)}/py.typed"):
        assert (home / name).is_file(), f"packages/{folder}/{name} is missing."
    assert list(home.glob("tests/**/test_*.py")), f"packages/{folder}/tests holds no test."
    assert (home / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("folder", FOLDERS)
def test_changelog_names_the_version(folder):
    version = declaration(folder)["project"]["version"]
    assert f"## {version}" in (ROOT / "packages" / folder / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_siblings_lie_within_the_declared_ranges(folder):
    """uv's lock takes a sibling of any version without a word (issue of the tool, not of the packages)."""
    versions = {declaration(other)["project"]["name"]: declaration(other)["project"]["version"] for other in FOLDERS}
    for name, requirement in required(folder).items():
        if name in versions:
            assert requirement.specifier, f"{folder} must bound {name}."
            assert requirement.specifier.contains(versions[name]), (
                f"{folder}: {requirement}, but it is {versions[name]}."
            )


@pytest.mark.parametrize("folder", FOLDERS)
def test_siblings_come_from_the_workspace(folder):
    listed = declaration(folder).get("tool", {}).get("uv", {}).get("sources", {})
    names = {declaration(other)["project"]["name"] for other in FOLDERS}
    tested_with = {Requirement(entry).name for entry in declaration(folder)["dependency-groups"]["test"]}
    assert {name for name in {*required(folder, optional=True), *tested_with} if name in names} == set(listed)


def test_one_dependency_has_one_range():
    """What is declared in several places, extras, groups and the root among them, is bounded alike in all."""
    ranges = {}
    for place, entry in every_entry():
        requirement = Requirement(entry)
        if requirement.specifier:
            known = ranges.setdefault(canonicalize_name(requirement.name), (requirement.specifier, place))
            assert requirement.specifier == known[0], f"{entry} in {place}, but {known[0]} in {known[1]}."


@pytest.mark.parametrize("folder", FOLDERS)
def test_ranges_end_at_a_major_version(folder):
    """An end at a minor version shuts out what others have; one that is needed is named here and in the decisions."""
    for place, entry in every_entry():
        name = canonicalize_name(Requirement(entry).name)
        ends = [one.version for one in Requirement(entry).specifier if one.operator == "<"]
        if place == folder and not name.startswith("asva") and name != "torch":
            assert all("." not in end for end in ends), f"{entry} in {place} ends at a minor version."


def every_entry() -> list[tuple[str, str]]:
    """(place, requirement) of every dependency, extra and group of the packages and of the root."""
    found = []
    for folder in [*FOLDERS, "the root"]:
        home = ROOT / "packages" / folder if folder in FOLDERS else ROOT
        table = tomllib.loads((home / "pyproject.toml").read_text(encoding="utf-8"))
        lists = [table["project"]["dependencies"], *table["project"].get("optional-dependencies", {}).values()]
        lists += table["dependency-groups"].values()
        found += [(folder, entry) for entries in lists for entry in entries if isinstance(entry, str)]
    return found


def test_the_lock_covers_what_is_declared():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {canonicalize_name(name) for name in re.findall(r"^([^\s#=]+)==", text, flags=re.M)}
    siblings = {declaration(folder)["project"]["name"] for folder in FOLDERS}
    for folder in FOLDERS:
        missing = set(required(folder, optional=True)) - siblings - pinned
        assert not missing, f"{missing} of {folder} are not pinned: run `uv run nox -s lock`."


def test_the_lock_says_how_old_it_is():
    """Its day stands in its header and in the noxfile, and in no setting that would bind users."""
    day = re.search(r'^EXCLUDE_NEWER = "(.+)"$', (ROOT / "noxfile.py").read_text(encoding="utf-8"), flags=re.M)[1]
    assert day in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()[0]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    assert not {"exclude-newer", "constraint-dependencies", "build-constraint-dependencies"} & set(settings)


def test_the_root_brings_every_extra_and_test_group():
    """Else `uv run pytest` in a fresh clone fails at collection."""
    extras = {canonicalize_name(entry.name): entry.extras for entry in root_group("dev")}
    siblings = {declaration(folder)["project"]["name"] for folder in FOLDERS}
    for folder in FOLDERS:
        table = declaration(folder)
        asked = extras.get(canonicalize_name(table["project"]["name"]), set())
        offered = table["project"].get("optional-dependencies", {})
        theirs = {"asva-curate", "asva-data", "asva-pipelines", "asva-train"}  # of which asva-kit has the extras too
        if folder not in theirs:
            assert set(offered) <= set(asked), f"The group `dev` lacks extras of {folder}."
        wanted = {canonicalize_name(Requirement(entry).name) for entry in table["dependency-groups"]["test"]}
        come = set(extras) | every_dependency()
        assert wanted - siblings <= come, f"`dev` lacks {wanted - siblings - come}, which {folder} tests with."


def root_group(name: str) -> set[Requirement]:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    found = set()
    for entry in groups[name]:
        found |= root_group(entry["include-group"]) if isinstance(entry, dict) else {Requirement(entry)}
    return found


@cache
def every_dependency() -> set[str]:
    return {name for folder in FOLDERS for name in required(folder, optional=True)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_is_sorted_and_resolves(folder):
    module = __import__(import_name(folder))
    assert list(module.__all__) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    if folder != "asva":  # the leaves' heavy parts are loaded by their own tests; here the cheap half is enough
        stub = (ROOT / "packages" / folder / "src" / import_name(folder) / "__init__.pyi").read_text(encoding="utf-8")
        assert {name for name in module.__all__ if name not in stub} == set()


def test_no_work_at_import():
    """One process imports every package and says what came along."""
    script = f"""
import json, sys
came = {{}}
for name in {sorted(MAY_IMPORT)}:
    before = set(sys.modules)
    __import__(name)
    came[name] = sorted(heavy for heavy in {HEAVY} if heavy in sys.modules and heavy not in before)
print(json.dumps(came))
"""
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert {name: heavy for name, heavy in json.loads(answer.stdout).items() if heavy} == {}


def test_help_answers_without_torch():
    script = """
import sys
sys.argv = ["asva", "--help"]
from asva.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("torch" in sys.modules, len(sys.modules))
"""
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    torch, modules = answer.stdout.split()[-2:]
    assert torch == "False"
    assert int(modules) < 900
    assert "sample" in answer.stdout


def test_the_command_is_installed():
    points = importlib.metadata.entry_points(group="console_scripts", name="asva")
    assert [point.value for point in points] == ["asva.cli:main"]


FORBIDDEN = {
    "a registry host": re.compile("https?://(py" + r"pi\.org|files\.python" + r"hosted\.org|download\.pytorch\.org)"),
    "a path of one machine": re.compile("(?<![\\w.])/(work|root|home/[a-z]+|Users/[a-z]+)/"),
    "a lenient load": re.compile("strict=" + "False|weights_only=" + "False"),
    "an unfinished mark": re.compile(r"\b(TO" + "DO|FIX" + r"ME|XX" + r"X)\b"),
}


def test_no_file_holds_a_forbidden_word():
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content or path.name == "LICENSE":
            continue
        text = content.decode()
        found += [f"{path.relative_to(ROOT)}: {name}" for name, rule in FORBIDDEN.items() if rule.search(text)]
    assert not found, "\n".join(found)


def test_no_file_is_large():
    large = [f"{path.relative_to(ROOT)}" for path in tracked() if path.stat().st_size > 50 * 2**20]
    assert not large


# Readers that run what a file says, or would if they were called otherwise.
RUNS_CODE = {"torch.load", "torch.jit.load", "pickle.load", "pickle.loads", "pickle.Unpickler", "yaml.unsafe_load"}
RUNS_CODE |= {"joblib.load", "marshal.loads", "shelve.open", "dill.load", "eval", "exec"}


def faults(path: Path) -> list[str]:
    """What the syntax of one library file shows: bare excepts, prints, the global generators, asserts of input."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With)]
    forks = [node for node in blocks if any("fork_rng" in ast.unparse(item) for item in node.items)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"{node.lineno}: a bare except")
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" and "cli" not in str(path.relative_to(ROOT)):
                found.append(f"{node.lineno}: a print in a library")
            kept = any(fork.lineno <= node.lineno <= fork.end_lineno for fork in forks)
            if called in {"torch.manual_seed", "np.random.seed", "random.seed"} and not kept:
                found.append(f"{node.lineno}: the global generator")
            if called in RUNS_CODE and "asva_weights" not in path.parts:
                found.append(f"{node.lineno}: {called}, which asva-weights alone may call")
            if called == "np.load" and "allow_pickle=False" not in ast.unparse(node):
                found.append(f"{node.lineno}: np.load without allow_pickle=False")
            if re.search(r"\bAuto[A-Z]\w+\.from_", called) and "trust_remote_code=False" not in ast.unparse(node):
                found.append(f"{node.lineno}: {called} without trust_remote_code=False")
        if isinstance(node, ast.Assert):
            found.append(f"{node.lineno}: an assert")
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_library_code_keeps_the_house_rules(folder):
    found = [f"{path.relative_to(ROOT)}:{fault}" for path in sources(folder) for fault in faults(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", [*FOLDERS, "."])
def test_every_file_opens_with_its_idea(folder):
    paths = [path for path in tracked() if path.suffix == ".py"]
    home = ROOT / "packages" / folder if folder != "." else ROOT / "tests"
    for path in paths:
        if home in path.parents and path.read_text(encoding="utf-8").strip() and not path.name.startswith("__main__"):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), (
                f"{path.relative_to(ROOT)} has no opening docstring."
            )


@pytest.mark.parametrize("folder", [*FOLDERS, "."])
def test_text_is_opened_in_a_named_encoding(folder):
    """Windows would take another one, and PEP 597 sees only what runs."""
    home = ROOT / "packages" / folder if folder != "." else ROOT
    found = []
    for path in tracked():
        if path.suffix != ".py" or home not in path.parents or (folder == "." and "packages" in path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and opens_text(node):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found, "\n".join(found)


def opens_text(call: ast.Call) -> bool:
    """Whether a call opens a file as text and leaves the encoding to the system."""
    named = {keyword.arg for keyword in call.keywords}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if named & {"encoding", None}:
        return False
    if name in {"read_text", "write_text"}:
        return isinstance(call.func, ast.Attribute)  # the reader of asva_weights names its own
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if name not in {"open", "fdopen"} or owner in {"av", "Image", "os", "tarfile", "wave", "webbrowser"}:
        return False
    texts = [value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    return not any("b" in text for text in texts if len(text) < 4)
