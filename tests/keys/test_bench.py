"""`onecard bench tac` runs, verifies what it measures, and says by which method."""

import json
import os

import pytest

from onecard.services.keys import bench


def test_the_benchmark_prints_its_method_and_one_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_QUICK", 2000)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    bench.run(json=True, quick=True)
    text = capsys.readouterr().out
    found = json.loads(text.splitlines()[-1])
    assert "方法 Method" in text
    assert "2,000 records" in text
    assert (found["name"], found["algorithm"], found["sm4"]["algorithm"]) == ("tac", "DES3", "SM4")
    assert found["ratio"] == pytest.approx(found["rate"] / found["baseline"], abs=0.01)
    assert cores is None or os.sched_getaffinity(0) == cores
