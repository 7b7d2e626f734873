"""Driver folders: manifests, where drivers are found, and the grade each has earned."""

import json
import sys
from pathlib import Path

import pytest

from onecard.gateway.conformance.grade import judge, main
from onecard.gateway.drivers.loader import find_driver, find_drivers
from onecard.gateway.drivers.manifest import Grade, read_manifest
from onecard.kernel.errors import InvalidInput, NotFound

PROJECT = Path(__file__).parents[2]
MANIFEST = """
name = "acme"
maker = "ACME"
models = ["A1"]
protocol = "ACME line 1"
transports = ["tls"]
capabilities = ["pay"]
grade = "bronze"
"""
CODEC = """
def decode(data):
    if len(data) != 2:
        raise ValueError("two bytes")
    return {"value": int.from_bytes(data, "big")}

def encode(fields):
    return fields["value"].to_bytes(2, "big")
"""


def make_driver(folder: Path, *, manifest: str = MANIFEST, codec: str = CODEC, driver: str = "DRIVER = dict\n") -> Path:
    """A folder that has earned bronze."""
    (folder / "vectors").mkdir(parents=True)
    (folder / "manifest.toml").write_text(manifest)
    (folder / "codec.py").write_text(codec)
    (folder / "driver.py").write_text(driver)
    (folder / "README.md").write_text("# acme\n")
    vectors = [{"name": f"v{i}", "source": "hand", "hex": f"{i:04x}", "fields": {"value": i}} for i in range(5)]
    vectors.append({"name": "short", "source": "hand", "hex": "01", "error": "two bytes"})
    (folder / "vectors" / "all.json").write_text(json.dumps(vectors))
    return folder


def test_every_built_in_driver_has_earned_the_grade_it_claims():
    assert main(PROJECT) == 0


def test_a_makers_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    make_driver(tmp_path / "acme_onecard")
    (tmp_path / "acme_onecard" / "__init__.py").write_text("")
    info = tmp_path / "acme_onecard-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-onecard\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[onecard.drivers]\nacme = acme_onecard\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_drivers()["acme"]
    assert (found.source, found.manifest.maker) == ("acme-onecard", "ACME")
    assert found.module("codec").decode(b"\x00\x07") == {"value": 7}
    assert found.make() == {}
    sys.modules.pop("acme_onecard", None)


def test_a_folder_is_found_by_its_path_and_an_unknown_name_is_refused(tmp_path):
    folder = make_driver(tmp_path / "a")
    assert find_driver(str(folder)).manifest.name == "acme"
    with pytest.raises(NotFound):
        find_driver("no-such-driver")


def test_the_grade_is_what_lies_in_the_folder(tmp_path):
    found = find_driver(str(make_driver(tmp_path / "a")))
    earned, missing = judge(found, project=tmp_path)
    assert earned is Grade.BRONZE
    assert "simulator.py is missing" in missing


@pytest.mark.parametrize(
    ("codec", "fault"),
    [
        (CODEC.replace('"big")}', '"little")}'), "decoded to"),
        (CODEC.replace("ValueError", "KeyError"), "KeyError instead of ValueError"),
        (CODEC.replace("!= 2", "> 2"), "taken although it is wrong"),
        (CODEC.replace("to_bytes(2", "to_bytes(3"), "encoded to"),
        (CODEC.replace("def encode", "def build"), "no decode and encode"),
    ],
)
def test_a_codec_that_breaks_a_vector_earns_nothing(tmp_path, codec, fault):
    found = find_driver(str(make_driver(tmp_path / "a", codec=codec)))
    earned, missing = judge(found, project=tmp_path)
    assert earned is Grade.NONE
    assert any(fault in line for line in missing)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('grade = "bronze"', 'grade = "platinum"', "grade"),
        ('["pay"]', '["fly"]', "capabilities"),
        ('["tls"]', '["carrier pigeon"]', "transports"),
        ('maker = "ACME"', "", "maker"),
        ('maker = "ACME"', 'maker = "ACME"\ncolour = "red"', "colour"),
        ('grade = "bronze"', 'grade = "bronze"\n[quirks.odd]\ndefault = true\nzh = "怪"\nen = "odd"', "quirk odd"),
    ],
)
def test_a_manifest_that_says_something_wrong_is_refused_by_name(tmp_path, old, new, named):
    folder = make_driver(tmp_path / "a", manifest=MANIFEST.replace(old, new))
    with pytest.raises(InvalidInput, match=named):
        read_manifest(folder)
