"""Assertions of the tests, now and at another commit: `python tools/assertions.py [COMMIT]`."""

import ast
import io
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import PurePath

CHECKS = {"raises", "warns", "assert_close", "assert_allclose", "assert_array_equal", "assert_array_almost_equal"}


def count_assertions(commit: str) -> Counter:
    """Functions, assertions and calls that assert, over every test file of a commit."""
    found = Counter()
    archive = subprocess.run(["git", "archive", commit], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            path = PurePath(member.name)
            if member.isfile() and path.suffix == ".py" and "tests" in path.parts:
                for node in ast.walk(ast.parse(files.extractfile(member).read())):
                    found["test functions"] += isinstance(node, ast.FunctionDef) and node.name.startswith("test")
                    found["assertions"] += isinstance(node, ast.Assert) or _checks(node)
    return found


def _checks(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", None) in CHECKS


if __name__ == "__main__":
    for commit in ["HEAD", *sys.argv[1:]]:
        print(commit, dict(count_assertions(commit)))
