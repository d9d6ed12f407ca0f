"""The time axis of the report, and the points on it."""

from __future__ import annotations

import numpy as np
import pytest

from replay.watch.report_data import Delays, Run, Sample
from replay.watch.report_series import SPAN_MIN_S, line, time_axis


def ran(begun_s: float, last_s: float, *samples: Sample, first_row: int = 0) -> Run:
    return Run(begun_s, last_s, first_row, 0, 0, samples=samples)


def test_one_run_is_drawn_as_the_clock_goes():
    """Broken: the only run is stretched or moved."""
    axis = time_axis([ran(1_000.0, 1_600.0)])
    assert axis.place(np.array([1_000.0, 1_300.0, 1_600.0])).tolist() == [1_000.0, 1_300.0, 1_600.0]
    assert axis.clock(1_300.0) == 1_300.0


def test_a_night_between_two_runs_takes_little_room_and_keeps_round_times_round():
    """Broken: two runs of ten minutes are two hairlines at the ends of a night."""
    runs = [ran(0.0, 600.0), ran(36_000.0, 36_600.0)]
    axis = time_axis(runs)
    assert 1_200 < axis.span_s < 1_200 * 1.2
    cut_s = 36_000.0 - axis.place(np.array([36_000.0]))[0]
    assert cut_s % 60 == 0
    for clock_s in (0.0, 599.0, 600.0, 36_000.0, 36_300.0):
        assert axis.clock(float(axis.place(np.array([clock_s]))[0])) == pytest.approx(clock_s)


def test_short_pauses_stay_what_they_are():
    """Broken: a pause of a second is drawn as another length than it had."""
    axis = time_axis([ran(0.0, 600.0), ran(601.0, 1_200.0)])
    assert axis.span_s == 1_200.0


def test_a_job_that_fails_at_once_every_hour_is_not_all_pauses():
    """Broken: with many runs, the pauses between them push the runs aside."""
    axis = time_axis([ran(hour * 3_600.0, hour * 3_600.0 + 120) for hour in range(24)])
    assert axis.span_s < 24 * 120 * 1.9


def test_runs_that_overlap_or_last_no_time():
    """Broken: clocks that differ between hosts, or a run over at once, make an axis that runs backwards or is empty."""
    axis = time_axis([ran(0.0, 100.0), ran(90.0, 95.0), ran(98.0, 200.0)])
    assert np.all(np.diff(axis.clock_s) > 0)
    assert np.all(np.diff(axis.place_s) > 0)
    assert time_axis([ran(5.0, 5.0)]).span_s == SPAN_MIN_S


def test_rates_are_those_between_samples():
    """Broken: the throughput drawn is not the rows of that stretch by its seconds."""
    run = ran(0.0, 10.0, Sample(1.0, 100), Sample(3.0, 500), Sample(10.0, 500), first_row=50)
    drawn = line(run, time_axis([run]), 100)
    assert drawn.place_s.tolist() == [1.0, 3.0, 10.0]
    assert drawn.rows_per_s.tolist() == [50.0, 200.0, 0.0]


def test_a_new_producer_a_little_further_back_is_no_negative_rate():
    """Broken: the plot falls below zero where a session begins before the last one's end."""
    run = ran(0.0, 10.0, Sample(4.0, 400), Sample(5.0, 300), Sample(10.0, 800))
    assert line(run, time_axis([run]), 100).rows_per_s.tolist() == [100.0, 0.0, 100.0]


def test_many_samples_make_few_points_and_hide_no_peak():
    """Broken: the one bad second of a night is averaged away, or a day of samples makes a page of megabytes."""
    samples = [Sample(float(at), at * 10, Delays(0.001, 0.002, 0.003), None) for at in range(1, 10_001)]
    samples[4_321] = Sample(4_322.0, 43_220, Delays(0.5, 1.0, 7.0), Delays(0.01, 9.0))
    run = ran(0.0, 10_000.0, *samples)
    drawn = line(run, time_axis([run]), 50)
    assert 50 <= len(drawn.place_s) <= 51
    assert drawn.lateness_s.max(axis=1).tolist() == [0.5, 1.0, 7.0]
    assert np.allclose(drawn.rows_per_s, 10.0)
    assert np.nanmax(drawn.ack_latency_s[1]) == 9.0
    assert np.isnan(drawn.ack_latency_s[2]).all()  # the highest is not known
    assert np.isnan(drawn.ack_latency_s[0]).sum() == len(drawn.place_s) - 1


def test_no_samples_no_points():
    """Broken: a run that ended before its first sample ends the report."""
    run = ran(0.0, 10.0)
    assert len(line(run, time_axis([run]), 50).place_s) == 0
