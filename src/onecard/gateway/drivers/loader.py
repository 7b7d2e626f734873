"""Where drivers come from: the folders of this package, packages that makers install (entry points), and a folder by its path."""

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from onecard.gateway.drivers.manifest import MANIFEST, Manifest, read_manifest
from onecard.kernel.errors import InvalidInput, NotFound

GROUP = "onecard.drivers"
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Found:
    """A driver that could be loaded: its manifest is read, none of its code has run."""

    manifest: Manifest
    package: str
    source: str
    """`built-in`, the distribution that brought it, or its path."""

    def module(self, name: str) -> ModuleType:
        """One of the folder's modules: driver, codec, simulator. Raises NotFound if it has none."""
        if not (self.manifest.folder / f"{name}.py").is_file():
            raise NotFound(f"驱动 {self.manifest.name} 没有 {name}.py", f"driver {self.manifest.name} has no {name}.py")
        return importlib.import_module(f"{self.package}.{name}")

    def make(self) -> Any:
        """A driver instance (base.Driver or base.PortDriver, as the manifest says). Raises InvalidInput, NotFound."""
        factory = getattr(self.module("driver"), "DRIVER", None)
        if factory is None:
            raise InvalidInput(
                f"{self.manifest.folder}/driver.py 没有 DRIVER", f"{self.manifest.folder}/driver.py exports no DRIVER"
            )
        return factory()


def find_drivers() -> dict[str, Found]:
    """Every driver there is, by name. Raises InvalidInput if a manifest is wrong or two drivers have one name."""
    found: dict[str, Found] = {}
    for folder in sorted(path.parent for path in _HERE.glob(f"*/{MANIFEST}")):
        _add(found, Found(read_manifest(folder), f"{__package__}.{folder.name}", "built-in"))
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        _add(found, _of_entry_point(point))
    return found


def find_driver(name_or_path: str) -> Found:
    """A driver by its name, or by the path of its folder. Raises NotFound, InvalidInput."""
    folder = Path(name_or_path)
    if (folder / MANIFEST).is_file():
        return _of_folder(folder.resolve())
    drivers = find_drivers()
    if name_or_path in drivers:
        return drivers[name_or_path]
    names = ", ".join(drivers)
    raise NotFound(
        f"没有驱动 {name_or_path}，也不是含 {MANIFEST} 的文件夹（现有：{names}）",
        f"{name_or_path} is no driver and no folder with a {MANIFEST} (there are: {names})",
    )


def _add(found: dict[str, Found], one: Found) -> None:
    name = one.manifest.name
    if name in found:
        raise InvalidInput(
            f"两个驱动同名 {name}：{found[name].source}、{one.source}",
            f"two drivers are called {name}: {found[name].source}, {one.source}",
        )
    found[name] = one


def _of_entry_point(point: EntryPoint) -> Found:
    """The entry point names the package that is the driver's folder."""
    spec = importlib.util.find_spec(point.module)
    source = point.dist.name if point.dist is not None else point.module
    if spec is None or not spec.submodule_search_locations:
        raise InvalidInput(f"{source}：{point.value} 不是软件包", f"{source}: {point.value} is not a package")
    return Found(read_manifest(Path(next(iter(spec.submodule_search_locations)))), point.module, source)


def _of_folder(folder: Path) -> Found:
    if folder.parent == _HERE:
        return Found(read_manifest(folder), f"{__package__}.{folder.name}", "built-in")
    manifest = read_manifest(folder)
    package = f"onecard_driver_{manifest.name}_{abs(hash(str(folder))):x}"
    if package not in sys.modules:
        # A namespace of its own, so that a folder need not be installed and may import its own modules relatively.
        module = ModuleType(package)
        module.__path__ = [str(folder)]
        sys.modules[package] = module
    return Found(manifest, package, str(folder))
