"""The time axis of the report, and the points on it."""

from __future__ import annotations

import numpy as np
import pytest

from replay.watch.figures import Quantiles
from replay.watch.report.data import Mark, MarkKind, Run, Sample
from replay.watch.report.series import SPAN_MIN_S, line, outages_of, time_axis


def ran(begun_s: float, last_s: float, *samples: Sample, first_rows: int = 0, **more: float) -> Run:
    return Run(begun_s, last_s, first_rows, 0, 0, samples=samples, **more)  # type: ignore[arg-type]


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
    run = ran(0.0, 10.0, Sample(1.0, 100), Sample(3.0, 500), Sample(10.0, 500), first_rows=50)
    drawn = line(run, time_axis([run]), 100)
    assert drawn.place_s.tolist() == [1.0, 3.0, 10.0]
    assert drawn.rows_per_s.tolist() == [50.0, 200.0, 0.0]


def test_a_new_producer_a_little_further_back_is_no_negative_rate():
    """Broken: the plot falls below zero where a session begins before the last one's end."""
    run = ran(0.0, 10.0, Sample(4.0, 400), Sample(5.0, 300), Sample(10.0, 800))
    assert line(run, time_axis([run]), 100).rows_per_s.tolist() == [100.0, 0.0, 100.0]


def test_many_samples_make_few_points_and_hide_no_peak():
    """Broken: the one bad second of a night is averaged away, or a day of samples makes a page of megabytes."""
    samples = [Sample(float(at), at * 10, Quantiles(0.001, 0.002, 0.003)) for at in range(1, 10_001)]
    samples[4_321] = Sample(4_322.0, 43_220, Quantiles(0.5, 1.0, 7.0), Quantiles(0.01, 9.0))
    run = ran(0.0, 10_000.0, *samples)
    drawn = line(run, time_axis([run]), 50)
    assert 50 <= len(drawn.place_s) <= 51
    assert drawn.lateness_s.max(axis=1).tolist() == [0.5, 1.0, 7.0]
    assert np.allclose(drawn.rows_per_s, 10.0)
    assert np.nanmax(drawn.ack_latency_s[1]) == 9.0
    assert np.isnan(drawn.ack_latency_s[2]).all()  # the highest is not known
    assert np.isnan(drawn.ack_latency_s[0]).sum() == len(drawn.place_s) - 1


def test_no_curve_goes_through_an_outage():
    """Broken: a straight line from before an outage to behind it tells of a slow broker that there was none, and the
    rows that come at once at its end of a speed that was never reached."""
    seen = [Sample(float(at), rows, Quantiles(0.1, 0.2), Quantiles(0.3, 0.4)) for at, rows in
            ((1, 100), (2, 200), (3, 200), (6, 200), (7, 900), (8, 1_000), (9, 1_100))]  # fmt: skip
    run = ran(0.0, 9.0, *seen)
    marks = [Mark(MarkKind.OUTAGE, 2.5, 7.0), Mark(MarkKind.RESUME, 0.0, 1.0), Mark(MarkKind.OUTAGE, 100.0, 120.0)]
    assert outages_of(run, marks) == [(2.5, 7.0)]
    drawn = line(run, time_axis([run]), 100, outages_of(run, marks))
    rate = dict(zip(drawn.place_s.tolist(), drawn.rows_per_s.tolist(), strict=True))
    assert [at for at, value in rate.items() if np.isnan(value)] == [3.0, 6.0, 6.5, 7.0]
    assert [rate[at] for at in (1.0, 2.0, 8.0, 9.0)] == [100.0] * 4
    for values in (*drawn.lateness_s[:2], *drawn.ack_latency_s[:2], drawn.rows[0]):
        assert np.isnan(values[[2, 3, 4]]).all()
        assert not np.isnan(values[[0, 1, 5, 6, 7]]).any()


def test_an_outage_between_two_samples_breaks_the_line_too():
    """Broken: a sample a minute, an outage of 40 s: the line runs straight through it."""
    run = ran(0.0, 120.0, Sample(60.0, 600), Sample(120.0, 800))
    drawn = line(run, time_axis([run]), 100, [(70.0, 110.0)])
    assert drawn.place_s.tolist() == [60.0, 90.0, 120.0]
    assert np.isnan(drawn.rows[0]).tolist() == [False, True, False]


def test_the_plan_begins_with_the_first_row_and_ends_with_the_last():
    """Broken: checking the input before the first row, or an outage, moves the plan; or it goes beyond all rows."""
    run = ran(0.0, 6.0, *(Sample(float(at), rows) for at, rows in enumerate((7, 7, 17, 27, 27, 57), 1)), first_rows=7,
              rows_per_s=10.0)  # fmt: skip
    drawn = line(run, time_axis([run]), 100, [(4.5, 5.5)], rows_max=40)
    planned = dict(zip(drawn.place_s.tolist(), drawn.rows[1].tolist(), strict=True))
    assert np.isnan(planned[1.0])
    assert [planned[at] for at in (2.0, 3.0, 4.0, 5.0, 6.0)] == [7.0, 17.0, 27.0, 37.0, 40.0]


def test_a_plan_by_speed_is_told_in_event_time():
    """Broken: a replay at 60x is shown without its plan, or against one in rows, which nobody gave."""
    run = ran(0.0, 3.0, Sample(1.0, 0), Sample(2.0, 5, event_s=1_000.0), Sample(3.0, 9, event_s=1_050.0), speed=60.0)
    reached, planned = line(run, time_axis([run]), 100).event_s.tolist()
    assert np.isnan([reached[0], planned[0]]).all()
    assert (reached[1:], planned[1:]) == ([1_000.0, 1_050.0], [1_000.0, 1_060.0])


def test_transactions_are_no_bursts():
    """Broken: a commit a second looks like a replay that stands still four times out of five, and then runs at 5x."""
    samples = [Sample(at / 5, at // 5 * 1_000) for at in range(1, 21)]
    run = ran(0.0, 4.0, *samples)
    assert set(line(run, time_axis([run]), 100, in_steps=True).rows_per_s.round().tolist()) == {1_000.0}
    assert line(run, time_axis([run]), 100, in_steps=True).rows[0].tolist() == [each.done_rows for each in samples]
    assert max(line(run, time_axis([run]), 100).rows_per_s) == pytest.approx(5_000)
