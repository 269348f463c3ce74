"""Learning curves: what is read, how seeds become a band, and that a picture is drawn."""

import numpy as np
import pytest

from ppoc.reporting.curves import band, draw
from ppoc.reporting.folders import read_curve


def test_rows_without_the_metric_are_left_out(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,episode_return,loss\n10,nan,1\n20,3.5,1\n30,,1\n40,-1,nan\n")
    steps, values = read_curve(tmp_path, [])
    assert steps.tolist() == [20, 40]
    assert values.tolist() == [3.5, -1]
    path.write_text("step,loss\n10,1\n20,1\n")
    assert read_curve(tmp_path, []) is None


def test_a_band_is_the_mean_and_the_extremes_where_all_seeds_are_known():
    first = np.array([0.0, 10.0, 20.0]), np.array([0.0, 10.0, 0.0])
    second = np.array([5.0, 15.0]), np.array([1.0, 1.0])
    found = band([first, second], points=3)
    assert found.steps.tolist() == [5, 10, 15]
    assert found.mean.tolist() == [3, 5.5, 3]
    assert found.low.tolist() == [1, 1, 1]
    assert found.high.tolist() == [5, 10, 5]


def test_curves_without_a_common_step_have_no_band():
    one = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    later = np.array([2.0]), np.array([0.0])
    for curves in ([], [one, later], [one, (np.array([]), np.array([]))]):
        with pytest.raises(ValueError, match="curve"):
            band(curves)


@pytest.mark.parametrize("panels", [1, 4, 7])
def test_a_picture_has_every_panel_and_label(tmp_path, panels):
    path = tmp_path / "figure.svg"
    curve = band([(np.array([0.0, 10_000.0]), np.array([0.0, 1.0]))])
    bands = {f"Task-{n}": {"PPO": curve, "A2C": curve} for n in range(panels)}
    draw(bands, path)
    text = path.read_text()
    for word in (*bands, "PPO", "A2C", "environment steps"):
        assert f"<!-- {word} -->" in text
