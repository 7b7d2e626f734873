"""Which grade a driver folder has earned, from what lies in it: checked for every built-in driver by scripts/check-drivers.

Whether the driver also does what its tests say is shown by running them, and by the rest of the kit.
"""

import ast
import sys
from pathlib import Path

from onecard.gateway.conformance.vectors import run_malformed, run_vectors
from onecard.gateway.drivers.loader import Found, find_drivers
from onecard.gateway.drivers.manifest import Grade
from onecard.kernel.errors import OneCardError

MIN_VECTORS = 5
_STATIC_INPUTS = 2000


def judge(found: Found, *, project: Path) -> tuple[Grade, list[str]]:
    """The grade earned, and what is missing for the next one. `project` is where the manifest's test files are found from."""
    earned = Grade.NONE
    for grade, missing_for in ((Grade.BRONZE, _bronze), (Grade.SILVER, _silver), (Grade.GOLD, _gold)):
        missing = missing_for(found, project)
        if missing:
            return earned, missing
        earned = grade
    return earned, []


def _bronze(found: Found, _: Path) -> list[str]:
    folder = found.manifest.folder
    missing = [f"{name} is missing" for name in ("driver.py", "codec.py", "README.md") if not (folder / name).is_file()]
    try:
        vectors = found.manifest.vectors()
        codec = found.module("codec")
    except OneCardError as error:
        return [*missing, error.en]
    if not all(callable(getattr(codec, name, None)) for name in ("decode", "encode")):
        return [*missing, "codec.py has no decode and encode"]
    if len(vectors) < MIN_VECTORS or not any("error" in vector for vector in vectors):
        missing.append(f"{len(vectors)} vectors: at least {MIN_VECTORS}, and one of them an 'error', are wanted")
    missing += [f"{vector.get('name')}: no source" for vector in vectors if not vector.get("source")]
    return missing + run_vectors(codec, vectors)


def _silver(found: Found, project: Path) -> list[str]:
    manifest = found.manifest
    missing = [] if (manifest.folder / "simulator.py").is_file() else ["simulator.py is missing"]
    for topic in ("malformed", "disconnect"):
        missing += _untested(found, topic, project)
    return missing + run_malformed(found.module("codec"), manifest.vectors(), inputs=_STATIC_INPUTS, seed=1)


def _gold(found: Found, project: Path) -> list[str]:
    manifest = found.manifest
    missing = [fault for quirk in manifest.quirks for fault in _untested(found, f"quirk.{quirk}", project)]
    readme = (manifest.folder / "README.md").read_text("utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("|")]
    if len(rows) < 3:
        missing.append("README.md has no table")
    missing += [f"README.md: no row for {quirk}" for quirk in manifest.quirks if not any(quirk in row for row in rows)]
    return missing


def _untested(found: Found, topic: str, project: Path) -> list[str]:
    """Test functions the manifest promises for a topic and that do not exist."""
    tests = found.manifest.tests.get(topic, ())
    if not tests:
        return [f"manifest.toml names no test for {topic}"]
    return [f"{test} ({topic}) does not exist" for test in tests if not _exists(test, project)]


def _exists(test: str, project: Path) -> bool:
    file, _, name = test.partition("::")
    path = project / file
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text("utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in ast.walk(tree))


def main(project: Path) -> int:
    """Print a line per built-in driver; 1 when one claims more than it has earned."""
    code = 0
    for name, found in find_drivers().items():
        if found.source != "built-in":
            continue
        earned, missing = judge(found, project=project)
        claimed = found.manifest.grade
        sys.stdout.write(f"{name:<12}{claimed.name.lower():<8}{'' if earned >= claimed else 'NOT EARNED'}\n")
        if earned < claimed:
            code = 1
            sys.stdout.writelines(f"    {fault}\n" for fault in missing)
    return code


if __name__ == "__main__":
    raise SystemExit(main(Path.cwd()))
