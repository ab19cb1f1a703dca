"""group-norm-of-maps: group normalisations between Reshapes, on marches whose BPU has an instance normalisation."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from passes.substitute import SubstituteOps
from surgery.ir import Model
from tests.passes.test_linear import net
from tests.support import ROOT, apply_pass

MEANS = ["ReduceMean", "Conv", "Add", "Pow", "ReduceMean", "Conv", "Sqrt", "Reciprocal", "Mul", "Conv"]
TABLE = ROOT / "data/efficiency/norms.csv"


def normalised(channels: int = 32, side: int = 28, groups: int = 4) -> Model:
    """A group normalisation as exporters write it, between two activations."""
    size, rows = (1, channels, side, side), (1, groups, channels // groups * side * side)
    given = {"g": np.array(rows), "k": np.array(size), "s": (groups,), "t": (groups,)}
    body = "a = Relu (x)  r = Reshape (a, g)  n = InstanceNormalization (r, s, t)  b = Reshape (n, k)  y = Relu (b)"
    return net(body, f"float[1,{channels},{side},{side}]", "", 11, **given)


@pytest.mark.parametrize("march", ["bayes", "bayes-e"])
@pytest.mark.parametrize("groups", [1, 4, 16])
def test_rows_of_several_channels_are_means_over_maps(march: str, groups: int) -> None:
    done = apply_pass(normalised(groups=groups), SubstituteOps(), march)
    assert done.ops == ["Relu", *MEANS, "Relu"]


def test_it_has_to_pay() -> None:
    assert "InstanceNormalization" in apply_pass(normalised(channels=8, side=2), SubstituteOps(), "bayes-e").ops


def test_the_pass_decides_as_the_compiler_times() -> None:
    """Every row of the table of compiled times: thirty times faster and more on both, and rewritten there."""
    with TABLE.open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = {(row["march"], row["channels"], row["side"], row["form"]): float(row["compiled_us"]) for row in table}
    compared = {
        (row["march"], int(row["channels"]), int(row["side"]), int(row["groups"]))
        for row in table
        if row["march"] != "bernoulli2"
    }
    gains = {key[:3]: rows[key] / rows[(*key[:3], "maps")] for key in rows if key[3] == "as it is"}
    assert all(gain > 30 for (march, *_), gain in gains.items() if march != "bernoulli2")
    for march, channels, side, groups in compared:
        done = apply_pass(normalised(channels, side, groups), SubstituteOps(), march)
        assert done.ops == ["Relu", *MEANS, "Relu"], (march, channels, side, groups)
