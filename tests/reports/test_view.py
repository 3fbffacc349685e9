import math

import pandas as pd
import pytest

from reports.view import Interval, views
from testbed.errors import UserError


def only(table):
    (view,) = views(table)
    return view


def test_each_topology_is_a_view_with_every_system_and_network(tables):
    found = views(tables.make(("ring", "star", "tree")))
    assert [view.setting["topology"] for view in found] == ["ring", "star", "tree"]
    assert found[0].bandwidths == sorted(tables.bandwidths)
    assert found[0].latencies == sorted(tables.latencies)
    assert [s.label for s in found[0].systems] == [
        "allreduce fp32", "allreduce qsgd 8 bit", "d-psgd fp32", "dcd-psgd qsgd 8 bit", "ecd-psgd qsgd 8 bit",
    ]  # fmt: skip


def test_seeds_are_averaged_and_the_interval_covers_each(tables):
    one = tables.make(systems=[("d-psgd", "fp32")], bandwidths=[5e6], latencies=[1e-3])
    one["epoch_s"], one["epoch_ci95_s"] = 10.0, 1.0
    two = one.assign(seed=2, epoch_s=14.0, epoch_ci95_s=0.5)
    view = only(pd.concat([one, two], ignore_index=True))
    (point,) = view.points[view.systems[0]].values()
    assert point.epoch_s == Interval(12.0, 9.0, 14.5)


def test_a_failed_seed_leaves_the_others(tables):
    one = tables.make(systems=[("d-psgd", "fp32")], bandwidths=[5e6], latencies=[1e-3])
    both = pd.concat([one, one.assign(seed=2)], ignore_index=True)
    view = only(tables.fail(both, both["seed"] == 2))
    (point,) = view.points[view.systems[0]].values()
    assert not point.failed
    assert point.epoch_s.value == one["epoch_s"][0]


def test_cells_not_measured_yet_are_no_failures(tables):
    table = tables.make()
    missing = tables.where(table, algorithm="ecd-psgd")
    table = tables.fail(table, missing, "not measured yet")
    table.loc[missing, "status"] = "missing"
    assert "ecd-psgd" not in [system.algorithm for system in only(table).systems]


def test_speedup_is_the_baselines_epoch_over_the_systems_with_the_widest_interval(tables):
    table = tables.make(bandwidths=[5e6], latencies=[1e-3], systems=[("allreduce", "fp32"), ("d-psgd", "fp32")])
    table["epoch_s"], table["epoch_ci95_s"] = [30.0, 10.0], [3.0, 1.0]
    view = only(table)
    got = view.speedup(view.systems[1], (5e6, 1e-3))
    assert (got.value, got.low, got.high) == pytest.approx((3.0, 27 / 11, 33 / 9))


def test_without_a_baseline_there_is_no_speedup(tables):
    view = only(tables.make(systems=[("d-psgd", "fp32")]))
    assert view.baseline is None
    assert math.isnan(view.speedup(view.systems[0], (5e6, 1e-3)).value)


def test_options_are_named_only_where_they_differ(tables):
    ring = tables.make(systems=[("allreduce", "fp32"), ("dcd-psgd", "qsgd")])
    mpi = ring[ring["algorithm"] == "allreduce"].assign(algorithm_options='{"exchange": "mpi"}')
    view = only(pd.concat([ring, mpi], ignore_index=True))
    assert [s.label for s in view.systems] == [
        "allreduce fp32",
        "allreduce fp32 exchange=mpi",
        "dcd-psgd qsgd 8 bit",
    ]
    assert view.baseline.variant == ""


def test_an_extra_setting_splits_views_only_where_equal_cells_differ_in_it(tables):
    table = tables.make().assign(queue_bytes=lambda t: t["bandwidth_bit_per_s"] / 100)
    assert len(views(table)) == 1
    lossy = table.assign(loss=0.01)
    assert [v.name for v in views(pd.concat([table.assign(loss=0.0), lossy], ignore_index=True))] == [
        "star, 8 workers, loss 0.0", "star, 8 workers, loss 0.01",
    ]  # fmt: skip


def test_one_latency_however_its_unit_was_converted(tables):
    one = tables.make(latencies=[0.13e-3])
    other = tables.make(latencies=[0.13 * 0.001 * (1 + 1e-15)], systems=[("new", "fp32")])
    assert only(pd.concat([one, other], ignore_index=True)).latencies == [0.13e-3]


def test_an_empty_table_has_no_views_and_a_foreign_one_is_refused():
    assert views(pd.DataFrame()) == []
    with pytest.raises(UserError, match="no column lab, topology"):
        views(pd.DataFrame({"epoch_s": [1.0]}))
