"""What the site adds to these files: a page per package, links that lead out of this folder, videos that play."""

import ast
import posixpath
import re
from pathlib import Path

import griffe
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
# A file elsewhere in the repository and the page, or the file, of the site that it becomes.
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmark-scripts.md",
    "examples/own_model.sh": "tasks/own_model.sh",
}
PAGES |= {
    f"packages/{path.parent.name}/README.md": f"packages/{path.parent.name}.md"
    for path in sorted(ROOT.glob("packages/*/README.md"))
}
LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(([^)\s]+)\)")
VIDEO = re.compile(r'<p><a href="([^"]+\.mp4)">(.*?)</a></p>', flags=re.S)


def on_files(files, config):
    """Add a page for each document that lies elsewhere; the packages' with what their docstrings say."""
    for source, page in PAGES.items():
        if page == "index.md":
            continue
        text = (ROOT / source).read_text(encoding="utf-8")
        if source.startswith("packages/"):
            text += reference(ROOT / source)
        text = moved(text, source, page) if page.endswith(".md") else text
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lead links out of this folder to the pages that the site has for them."""
    generated = page.file.src_uri in PAGES.values() and page.file.src_uri != "index.md"
    return markdown if generated else moved(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def on_page_content(html, page, config, files):
    """A link to a video that stands alone becomes the video."""
    return VIDEO.sub(
        r'<figure><video controls loop preload="metadata" width="384" src="\1"></video>'
        r"<figcaption>\2</figcaption></figure>",
        html,
    )


def moved(text: str, source: str, page: str) -> str:
    """The links of a document at ``source`` in the repository, as they must be on ``page`` of the site."""
    pieces = re.split(r"(^```.*?^```|`[^`\n]*`(?!\]))", text, flags=re.M | re.S)
    pieces[::2] = [LINK.sub(lambda match: _moved_link(match, source, page), piece) for piece in pieces[::2]]
    return "".join(pieces)


def _moved_link(match: re.Match, source: str, page: str) -> str:
    mark, text, target = match.groups()
    name, hash_mark, anchor = target.partition("#")
    if not name or re.match(r"https?:|mailto:", target):
        return match[0]
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    goal = f"{goal}/README.md" if (ROOT / goal / "README.md").is_file() else goal
    if goal in PAGES:
        goal = PAGES[goal]
    elif goal.startswith("docs/"):
        goal = goal.removeprefix("docs/")
    else:  # not on the site: its name says where it is
        return text if mark else f"{text} (`{goal}`)" if goal not in text else text
    return f"{mark}[{text}]({posixpath.relpath(goal, posixpath.dirname(page) or '.')}{hash_mark}{anchor})"


def reference(readme: Path) -> str:
    """Markdown that asks for the docstring of every public name of a package, module after module."""
    stubs = sorted(readme.parent.glob("src/*/**/__init__.pyi"))
    parts = ["\n## Reference\n"]
    for stub in stubs:
        package = ".".join(stub.relative_to(readme.parent / "src").parent.parts)
        parts.append(f"\n### {package}\n")
        parts += [f"\n::: {package}.{name}\n" for name in public_names(stub)]
    return "".join(parts)


def public_names(stub: Path) -> list[str]:
    """The names that a stub re-exports, in its order."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return [name.asname or name.name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names]


class Examples(griffe.Extension):
    """Let ``Example:`` be what griffe knows as ``Examples:``, so that a doctest is shown as code."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Rename the section in one docstring."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.M)
