"""The release of one package: its version, changelog and siblings, a commit and a tag, archives that were tried.

``nox -s release -- asva-unet minor`` does all of it here and sends nothing anywhere. Pushing the tag publishes: see
.github/workflows/publish.yml.
"""

from .plan import PARTS, Release, ReleaseError, plan, project
from .steps import release
from .writing import write

__all__ = ["PARTS", "Release", "ReleaseError", "plan", "project", "release", "write"]
