"""One producer's life with a fake clock and a fake sink: pacing, bounds, frontier, saves, outages, endings."""

from __future__ import annotations

import itertools
import re
from random import Random
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.checkpoint.content import JobState
from replay.counts import RowCounts
from replay.delivery import by_checkpoint, flight, slices
from replay.delivery import session as session_module
from replay.delivery.flight import lead_rows_max
from replay.delivery.guarantee import ACK_WAIT_S
from replay.delivery.options import Pace
from replay.delivery.pace import BURST_S
from replay.errors import (
    AccessDenied,
    BrokerUnavailable,
    CheckpointUnwritable,
    ExitCode,
    InputError,
    ProducerFatal,
    StateConflict,
    Stopped,
    UsageError,
)
from replay.kafka.access import Account
from replay.kafka.statistics import BrokerStatistics
from replay.kafka.topic import TopicIdentity
from replay.kafka.topic_watch import ASK_EVERY_S
from replay.model import PartitionMark, Progress, Resync
from tests.unit.fakes import T0_US, Bench, Error, Row, run_options, trades

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.fakes import Sent

SLACK_S = BURST_S + ACK_WAIT_S + 1e-6
"""What a row may be late on a machine that does nothing else: its burst, and one wait for a report."""


@pytest.fixture
def small(monkeypatch):
    """Chunks and slices of a few rows, so that a small replay has many of them."""
    monkeypatch.setattr(session_module, "CHUNK_ROWS", 8)
    monkeypatch.setattr(slices, "ENCODE_ROWS", 32)
    monkeypatch.setattr(flight, "LEAD_ROWS_MIN", 100)
    monkeypatch.setattr(session_module, "TICK_S", 0.001)


def fail_with(code: int, at: int) -> Callable[[Sent], Error | None]:
    def outcome(one: Sent) -> Error | None:
        return Error(code, "said the broker") if one.number == at else None

    return outcome


# -- rows out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [Pace(), Pace(rows_per_s=500), Pace(speed=10)], ids=str)
def test_every_row_is_in_the_topic_once_and_in_order_and_the_checkpoint_says_done(pace):
    bench = Bench(trades(1_000), run_options(pace), batch_rows=130).run()
    assert bench.sink.topic == bench.source.records(2)
    assert bench.last.state is JobState.DONE
    assert bench.last.progress.position == bench.source.end
    assert [mark.next_offset for mark in bench.last.progress.marks] == [len(p) for p in bench.sink.topic]
    assert bench.sink.closed
    assert (bench.tally.done_rows, bench.tally.sent_rows, bench.tally.in_flight_rows) == (1_000, 1_000, 0)


@pytest.mark.parametrize("rate", [40.0, 1_000.0, 30_000.0])
def test_a_rate_is_kept_to_the_row_no_row_early_and_no_drift(rate):
    bench = Bench(trades(2_000), run_options(Pace(rows_per_s=rate)), batch_rows=333).run()
    at = [one.at_s for one in bench.sink.sent]
    for row in range(2, len(at)):
        due = at[1] + (row - 1) / rate
        assert due - ACK_WAIT_S - 1e-6 <= at[row] <= due + SLACK_S, row


def test_a_speed_divides_the_gaps_of_event_time():
    rows = [Row("S0", 1.0, T0_US + t * 1_000_000) for t in (0, 10, 20, 20, 50, 110, 111)]
    bench = Bench(rows, run_options(Pace(speed=10))).run()
    at = [one.at_s for one in bench.sink.sent]
    for row, after_s in enumerate((1, 1, 4, 10, 10.1), start=2):
        assert at[1] + after_s - ACK_WAIT_S <= at[row] <= at[1] + after_s + SLACK_S


def test_the_schedule_starts_at_the_first_acknowledgement_not_before():
    """A producer that needs a second to get ready must not be followed by a burst that makes up for it."""
    bench = Bench(trades(300), run_options(Pace(rows_per_s=100)))
    bench.sink.latency_s = 0.9
    bench.run()
    at = [one.at_s for one in bench.sink.sent]
    assert at[1] - at[0] >= 0.9
    assert at[100] - at[1] >= 0.99 - ACK_WAIT_S


def test_after_a_long_stall_the_schedule_is_shifted_and_nothing_is_rushed():
    bench = Bench(trades(400), run_options(Pace(rows_per_s=100)))

    def stall():
        if len(bench.sink.sent) == 200 and not stalled:
            stalled.append(bench.clock.time_s)
            bench.clock.time_s += 60

    stalled: list[float] = []
    bench.sink.hook = stall
    bench.run()
    at = [one.at_s for one in bench.sink.sent]
    assert at[399] - at[201] >= 1.98 - ACK_WAIT_S
    assert bench.tally.shifted_s == pytest.approx(60, abs=0.1)
    assert sum("shifted" in warning for warning in bench.told.warnings) == 1


def test_a_short_stall_is_made_up_for():
    """Otherwise every pause of the machine would add itself to the length of the replay."""
    bench = Bench(trades(400), run_options(Pace(rows_per_s=100)))

    def stall():
        if len(bench.sink.sent) == 200 and not stalled:
            stalled.append(1)
            bench.clock.time_s += 0.5

    stalled: list[int] = []
    bench.sink.hook = stall
    bench.run()
    at = [one.at_s for one in bench.sink.sent]
    assert at[399] - at[1] <= 3.98 + SLACK_S
    assert bench.tally.lateness.max_s == pytest.approx(0.5, abs=0.02)
    assert bench.tally.shifted_s == 0


def test_at_a_high_rate_bursts_are_no_more_than_their_length_allows():
    """Broken: a burst takes longer to hand over than the next row to fall due, so every row or two becomes a burst
    of its own: a core is spent, and the replay is late all the time."""
    bench = Bench(trades(10_000, gap_us=20), run_options(Pace(rows_per_s=50_000)), batch_rows=5_000)

    def take_a_while():
        bench.clock.time_s += 1e-4

    bench.sink.hook = take_a_while
    bench.run()
    bursts = len({one.at_s for one in bench.sink.sent})
    assert bursts <= 0.2 / BURST_S + 10, "10: slices end in the middle of a burst"
    assert bench.tally.lateness.quantile_s(0.5) <= 2 * BURST_S


def test_lateness_is_counted_once_a_row():
    bench = Bench(trades(2_000), run_options(Pace(rows_per_s=10_000), in_flight_rows_max=10)).run()
    assert int(bench.tally.lateness.counts.sum()) == 1_999  # the first sets the schedule


# -- bounds in flight -------------------------------------------------------------------------------------


def test_rows_in_flight_stay_within_their_bound_and_use_it():
    bench = Bench(trades(2_000), run_options(in_flight_rows_max=37)).run()
    assert bench.sink.most_rows == 37


def test_bytes_in_flight_stay_within_their_bound_and_use_it():
    bench = Bench(trades(2_000), run_options(in_flight_bytes_max=5_000)).run()
    assert 4_700 < bench.sink.most_bytes <= 5_000


def test_a_record_larger_than_the_bound_goes_alone_instead_of_never():
    bench = Bench(trades(20), run_options(in_flight_bytes_max=1)).run()
    assert bench.sink.most_rows == 1
    assert bench.sink.topic == bench.source.records(2)


def test_a_full_queue_takes_the_rest_later_in_order(small):  # noqa: ARG001
    bench = Bench(trades(300))
    bench.sink.queue_max = 5
    bench.sink.hook = lambda: bench.clock.sleep(0.001)
    bench.run()
    assert bench.sink.topic == bench.source.records(2)


@pytest.mark.parametrize("ahead", [(0, 0), (3, 0), (0, 9), (10, 7)])
@pytest.mark.parametrize("queue_max", [3, 10**6])
def test_a_save_never_covers_an_unacknowledged_row(small, ahead, queue_max):  # noqa: ARG001
    """It would be lost by a crash: the resume starts behind it."""
    bench = Bench(trades(200), run_options(checkpoint_interval_s=0.001, in_flight_rows_max=20))
    expected = bench.source.records(2)
    there = [expected[p][: ahead[p]] for p in range(2)]
    bench.sink.topic[:] = [list(records) for records in there]
    bench.start = Progress(bench.source.start, tuple(PartitionMark(rows, rows) for rows in ahead))
    bench.sink.shuffle, bench.sink.queue_max = Random(1), queue_max
    bench.sink.hook = lambda: bench.clock.sleep(0.001)
    order = [p for encoded in bench.source.encoded(2) for p in encoded.partitions.tolist()]

    def check(progress: Progress) -> None:
        before = order[: progress.position.row]
        for p, mark in enumerate(progress.marks):
            assert before.count(p) + mark.ahead_rows <= len(bench.sink.topic[p])

    bench.on_save = check
    bench.run()
    assert bench.sink.topic == expected
    assert len(bench.saves) > 10


def test_a_full_queue_before_the_first_row_of_a_slice_acknowledges_nothing(small):  # noqa: ARG001
    bench = Bench(trades(30), start=Progress(FIRST, (PartitionMark(1, 1), PartitionMark(0, 0))))
    bench.sink.topic[0] = bench.source.records(2)[0][:1]
    bench.sink.queue_max = 0

    def look():
        if bench.sink.polls == 3:
            raise Resync("enough seen")

    bench.sink.hook = look
    with pytest.raises(Resync):
        bench.run()
    assert bench.last.progress.position.row <= 1, "only row 0 is in the topic"


FIRST = Bench(trades(1)).source.start


# -- rows that are in the topic already -------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 120), st.integers(0, 30), st.integers(0, 30), st.integers(1, 50))
def test_rows_that_a_partition_has_are_skipped_and_no_others(rows, first, second, batch_rows):
    left_out = range(0, rows, 3)
    bench = Bench(trades(rows), batch_rows=batch_rows, left_out=left_out)
    expected = bench.source.records(2)
    ahead = [min(first, len(expected[0])), min(second, len(expected[1]))]
    bench.sink.topic[:] = [expected[p][: ahead[p]] for p in range(2)]
    bench.start = Progress(bench.source.start, tuple(PartitionMark(n, n) for n in ahead))
    bench.run()
    assert bench.sink.topic == expected
    assert [mark.ahead_rows for mark in bench.last.progress.marks] == [0, 0]
    assert len(bench.sink.sent) == rows - len(left_out) - sum(ahead)
    assert bench.last.progress.position == bench.source.end
    assert bench.tally.counts == RowCounts(rows, rows - len(left_out), len(left_out))


# -- checkpoints down -------------------------------------------------------------------------------------


def test_progress_is_saved_every_interval_and_not_more_often():
    bench = Bench(trades(3_000), run_options(Pace(rows_per_s=300), checkpoint_interval_s=2.0)).run()
    at = [save.at_s for save in bench.saves[:-1]]
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert len(at) == 4
    assert all(2.0 <= gap <= 2.3 for gap in gaps)
    rows = [save.progress.position.row for save in bench.saves]
    assert rows == sorted(rows)
    assert rows[0] == pytest.approx(600, abs=50)


def test_it_is_saved_without_progress_too_as_a_resume_counts_the_age_of_the_checkpoint():
    bench = Bench(trades(100), run_options(broker_timeout_s=20.0))
    bench.sink.down = True
    with pytest.raises(BrokerUnavailable):
        bench.run()
    assert len(bench.saves) >= 19


def test_rows_acknowledged_before_a_long_pause_of_event_time_are_saved_within_two_intervals():
    """The checkpoint would show (and a resume would read again) what was done hours ago."""
    rows = [Row("S0", 1.0, T0_US + n * 1_000) for n in range(20)] + [Row("S0", 1.0, T0_US + 3_600_000_000)]
    bench = Bench(rows, run_options(Pace(speed=1))).run()
    before_the_end = [save for save in bench.saves if save.at_s < 2_000]
    assert before_the_end[-1].progress.position.row == 20


def lead_of(bench: Bench) -> int:
    """The largest distance between a row handed over and the older of the two generations on disk."""
    worst = 0

    def on_send(number: int) -> None:
        nonlocal worst
        rows = [0, 0, *(save.progress.position.row for save in bench.saves)]
        worst = max(worst, number + 1 - rows[-2])

    bench.sink.on_send = on_send
    bench.run()
    return worst


def test_no_row_goes_further_beyond_the_older_generation_than_a_resume_would_look(small):  # noqa: ARG001
    bench = Bench(trades(3_000), run_options(in_flight_rows_max=20, checkpoint_interval_s=1e9))
    assert 60 < lead_of(bench) <= lead_rows_max(20)


def test_a_paced_burst_keeps_the_lead_too(monkeypatch, small):  # noqa: ARG001
    monkeypatch.setattr(slices, "ENCODE_ROWS", 64)
    bench = Bench(
        trades(6_000),
        run_options(Pace(rows_per_s=1e6), in_flight_rows_max=1_000, checkpoint_interval_s=1e9),
        batch_rows=2_000,
    )
    monkeypatch.setattr(by_checkpoint, "lead_rows_max", lambda _: 2_490)
    assert lead_of(bench) <= 2_490


def test_without_offsets_the_position_saved_stays_and_in_the_end_a_new_producer_is_asked_for(small):  # noqa: ARG001
    """A position with an unknown offset would make a resume search from a wrong place."""
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=20, checkpoint_interval_s=0.01))
    bench.sink.without_offset = lambda one: one.number >= 40 and one.partition == 1
    with pytest.raises(Resync):
        bench.run()
    assert bench.last.state is JobState.RUNNING
    assert 30 <= bench.last.progress.position.row <= 41 + session_module.CHUNK_ROWS
    assert len(bench.sink.sent) <= bench.last.progress.position.row + lead_rows_max(20)


def test_one_report_without_offset_is_made_good_by_the_next(small):  # noqa: ARG001
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=20))
    bench.sink.without_offset = lambda one: one.number % 17 == 0
    bench.run()
    assert bench.sink.topic == bench.source.records(2)


# -- the broker is away -----------------------------------------------------------------------------------


def test_an_outage_is_told_and_ends_the_run_at_its_deadline_with_progress_saved():
    bench = Bench(trades(1_000), run_options(Pace(rows_per_s=100), broker_timeout_s=30.0))

    def go_down():
        bench.sink.down = len(bench.sink.sent) >= 500

    bench.sink.hook = go_down
    with pytest.raises(BrokerUnavailable) as caught:
        bench.run()
    down_for = bench.clock.time_s - bench.sink.sent[499].at_s
    assert 30 <= down_for <= 33
    assert caught.value.exit_code is ExitCode.BROKER_UNAVAILABLE
    assert sum("rows wait" in warning for warning in bench.told.warnings) == 1
    assert bench.last.state is JobState.RUNNING
    assert bench.last.progress.position.row == len(bench.sink.acknowledged)
    assert bench.sink.closed


def test_what_is_wrong_with_a_certificate_is_told_at_once_and_is_the_end_past_the_deadline():
    """Broken: a broker that comes back with an expired certificate is told as an outage, and ends the run as one."""
    bench = Bench(trades(1_000), run_options(Pace(rows_per_s=100), broker_timeout_s=30.0))
    wrong = UsageError("the broker's certificate has expired", where="a:9093")

    def go_down():
        bench.sink.down = len(bench.sink.sent) >= 500
        if bench.sink.down and bench.clock.time_s - bench.sink.sent[499].at_s > 10:
            bench.cluster.wrong = wrong

    bench.sink.hook = go_down
    with pytest.raises(UsageError) as caught:
        bench.run()
    assert caught.value is wrong
    told = [warning for warning in bench.told.warnings if "rows wait" in warning]
    assert [warning.split(" since ")[0] for warning in told] == ["Broker unreachable", "Broker cannot be used"]
    assert "(a:9093: the broker's certificate has expired; " in told[1]
    assert bench.last.progress.position.row == len(bench.sink.acknowledged)


def test_an_outage_that_ends_is_told_counted_and_costs_nothing():
    bench = Bench(trades(3_000), run_options(Pace(rows_per_s=100), broker_timeout_s=30.0))

    def outage():
        bench.sink.down = 1_005 <= bench.clock.time_s < 1_015

    bench.sink.hook = outage
    bench.run()
    assert bench.sink.topic == bench.source.records(2)
    assert bench.tally.outages == 1
    assert bench.tally.outages_s == pytest.approx(10, abs=0.5)
    assert bench.tally.outage_since_s is None
    (told,) = (info for info in bench.told.infos if "Broker back after" in info)
    assert "continuing at row" in told


def test_ordinary_latency_is_no_outage():
    bench = Bench(trades(500))
    bench.sink.latency_s = 2.5
    bench.run()
    assert bench.tally.outages == 0
    assert bench.told.warnings == []


def test_a_broker_that_does_not_listen_for_a_quota_is_no_outage():
    """Broken: a throttle longer than the broker deadline ends the run with exit 5, although rows get through."""
    bench = Bench(trades(10), run_options(broker_timeout_s=4.0))
    bench.sink.latency_s = 10.0
    bench.sink.news.throttled_s, bench.sink.news.throttled_until_s = 9.0, bench.clock.time_s + 9.0
    bench.run()
    assert bench.tally.outages == 0
    assert bench.tally.throttled_s == 9.0
    assert [told for told in bench.told.warnings if "slows this client down (quota): 9 s of throttle" in told]


def test_a_refused_login_is_waited_for_where_a_new_password_may_come():
    """Broken: a rotated password ends the run; or its wait ends as an outage of a broker that is well (exit 5)."""
    bench = Bench(trades(10), run_options(broker_timeout_s=30.0))
    bench.sink.down = True
    bench.sink.news.account = Account(user="bob", mechanism="PLAIN", renewed="/secret is read again")
    bench.sink.news.met, bench.sink.news.login = True, "invalid credentials"
    with pytest.raises(AccessDenied, match="login of user bob, PLAIN: invalid credentials"):
        bench.run()
    assert 1_025 < bench.clock.time_s < 1_040
    told = next(each for each in bench.told.warnings if "Kafka refuses the login of user bob" in each)
    assert "/secret is read again" in told


def test_a_refused_client_ends_with_the_brokers_words_instead_of_waiting_for_the_deadline():
    bench = Bench(trades(10), run_options(broker_timeout_s=300.0))
    bench.sink.down = True
    bench.sink.news.login = "not authorized"
    with pytest.raises(UsageError, match="not authorized"):
        bench.run()
    assert bench.clock.time_s < 1_050


# -- endings ----------------------------------------------------------------------------------------------


def stop_at(bench: Bench, rows: int, signals: int = 1) -> None:
    def request():
        if len(bench.sink.sent) >= rows and not bench.stop.signals:
            for number in range(signals):
                bench.stop.request(2, 10.0 * number)

    bench.sink.hook = request


def test_a_signal_drains_and_leaves_a_clean_checkpoint_from_which_nothing_is_read_again():
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50))
    stop_at(bench, 400)
    with pytest.raises(Stopped) as caught:
        bench.run()
    assert caught.value.exit_code == ExitCode.SIGINT
    assert caught.value.is_clean, "or it is told as if something had gone wrong"
    (told,) = (info for info in bench.told.infos if "Stopping" in info)
    assert re.fullmatch(r"Stopping: waiting up to 30 s for \d+ acknowledgements; Ctrl-C again to stop now\.", told)
    assert not bench.told.warnings
    assert bench.last.state is JobState.CLEAN
    assert bench.last.progress.position.row == len(bench.sink.sent) < 1_000
    again = Bench(trades(1_000), start=bench.last.progress, topic=bench.sink.topic).run()
    assert again.sink.topic == again.source.records(2)


def test_a_full_drain_with_an_unknown_offset_is_not_called_clean():
    """The position saved stands before rows that are in the topic: a resume that does not look sends them again."""
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50))
    bench.sink.without_offset = lambda one: one.number >= 350
    stop_at(bench, 400)
    with pytest.raises(Stopped):
        bench.run()
    assert bench.last.progress.position.row < len(bench.sink.acknowledged) == len(bench.sink.sent)
    assert bench.last.state is JobState.RUNNING


@pytest.mark.parametrize("why", ["broker down", "second signal"])
def test_a_signal_without_a_full_drain_is_not_called_clean(why):
    """A clean checkpoint sends from its position without looking: undrained rows would be there twice."""
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50))
    bench.sink.latency_s = 1.0
    stop_at(bench, 100, signals=2 if why == "second signal" else 1)
    before = bench.sink.hook

    def hook():
        before()
        bench.sink.down = why == "broker down" and bool(bench.stop.signals)

    bench.sink.hook = hook
    with pytest.raises(Stopped) as caught:
        bench.run()
    assert not caught.value.is_clean
    left = len(bench.sink.sent) - len(bench.sink.acknowledged)
    assert any(f"{left} rows were sent and are not acknowledged" in warning for warning in bench.told.warnings)
    assert bench.last.state is JobState.RUNNING
    assert bench.last.progress.position.row <= len(bench.sink.acknowledged) < len(bench.sink.sent)


def test_a_signal_is_heard_during_a_long_gap_of_event_time():
    rows = [*trades(2), Row("S0", 1.0, T0_US + 86_400_000_000)]
    bench = Bench(rows, run_options(Pace(speed=1)))

    def request():
        if bench.clock.time_s > 1_010:
            bench.stop.request(15)

    bench.sink.hook = request
    with pytest.raises(Stopped) as caught:
        bench.run()
    assert bench.clock.time_s < 1_010.2
    assert caught.value.exit_code == ExitCode.SIGTERM


def test_the_end_by_the_schedule_is_told_from_event_time_in_a_gap_too():
    """Broken: rows a second say nothing of a replay in event time: in a gap there are none, and so no end is seen."""
    rows = [*trades(2), Row("S0", 1.0, T0_US + 400_000_000)]
    bench = Bench(rows, run_options(Pace(speed=4)))
    bench.tally.schedule_end_ns = (T0_US + 400_000_000) * 1_000
    left: list[tuple[float, float]] = []

    def look():
        if bench.tally.schedule_left_s is not None:
            left.append((bench.clock.time_s, bench.tally.schedule_left_s))

    bench.sink.hook = look
    bench.run()
    assert left[0][1] == pytest.approx(100, abs=1.5)
    assert all(at_s + left_s == pytest.approx(left[0][0] + left[0][1], abs=1.5) for at_s, left_s in left)
    assert left[-1][1] < 1.5


def test_a_signal_is_heard_while_every_row_is_late():
    """Broken: a replay that is slower than its rate never waits, and so never looks at signals or reports."""
    bench = Bench(trades(5_000), run_options(Pace(rows_per_s=1_000)))

    def take_longer(_: int) -> None:
        bench.clock.time_s += 0.0012

    bench.sink.on_send = take_longer
    stop_at(bench, 1_000)
    with pytest.raises(Stopped):
        bench.run()
    assert 1_000 <= len(bench.sink.sent) < 1_200
    assert bench.last.state is JobState.CLEAN


def test_a_failed_record_ends_the_run_and_the_frontier_stays_before_it():
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50), batch_rows=20)
    bench.sink.outcome = fail_with(KafkaError.INVALID_RECORD, at=300)
    with pytest.raises(ProducerFatal, match=r"among rows 300 to 319 .*said the broker"):
        bench.run()
    assert bench.last.state is JobState.RUNNING
    assert 250 <= bench.last.progress.position.row <= 300


def test_a_failed_record_is_told_with_its_partition_where_that_is_known():
    """It is for the last record of each partition in a chunk, and batches fail as a whole."""
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50), batch_rows=20)
    bench.sink.outcome = lambda one: Error(KafkaError.INVALID_RECORD, "said the broker") if one.number >= 300 else None
    with pytest.raises(ProducerFatal, match=r"among rows 300 to 319 \(partitions 0, 1.*\) failed for good"):
        bench.run()


def test_rights_that_are_taken_away_half_way_end_the_run_unclean_before_the_refused_row():
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50), batch_rows=20)
    bench.sink.outcome = fail_with(KafkaError.TOPIC_AUTHORIZATION_FAILED, at=300)
    with pytest.raises((ProducerFatal, UsageError), match="said the broker"):
        bench.run()
    assert bench.last.state is JobState.RUNNING
    assert 250 <= bench.last.progress.position.row <= 300


@pytest.mark.parametrize("silent", [-1, 0, 99])
def test_a_purged_record_is_unknown_and_only_a_new_producer_can_find_out(silent):
    """Broken: librdkafka gives up what waits behind a failure of its own (of a transaction, say), and forgets some of
    what it had sent: the run waits until the broker deadline for acknowledgements that cannot come; or counts them."""
    bench = Bench(trades(100), run_options(broker_timeout_s=5.0))
    bench.sink.outcome = fail_with(KafkaError._PURGE_QUEUE, at=50)
    bench.sink.never_reported = lambda one: one.number == silent
    begun_s = bench.clock.time_s
    with pytest.raises(Resync, match="given up before the broker had answered"):
        bench.run()
    assert bench.clock.time_s - begun_s < 1
    assert bench.last.progress.position.row <= 50
    assert bench.last.state is JobState.RUNNING


def test_what_the_broker_refused_is_told_although_older_rows_were_purged_for_it():
    """Broken: the record that no producer will ever get in is taken for bad luck, and tried again without end."""
    bench = Bench(trades(1_000), run_options(), batch_rows=20)
    errors = {50: Error(KafkaError._PURGE_QUEUE, "purged"), 70: Error(KafkaError.INVALID_RECORD, "said the broker")}
    bench.sink.outcome = lambda one: errors.get(one.number)
    bench.sink.latency_s = 0.5
    with pytest.raises(ProducerFatal, match=r"among rows 60 to 79 .*said the broker"):
        bench.run()
    assert bench.last.progress.position.row <= 50


def test_a_new_epoch_is_no_clean_end_although_all_is_drained():
    """Rows may be in the topic twice or not at all: only the topic's tail tells."""
    bench = Bench(trades(1_000), run_options(in_flight_rows_max=50))

    def bump():
        if len(bench.sink.sent) >= 500:
            raise Resync("epoch")

    bench.sink.hook = bump
    with pytest.raises(Resync):
        bench.run()
    assert not bench.sink.waiting
    assert bench.last.state is JobState.RUNNING
    assert bench.sink.closed


def test_another_topic_under_the_same_name_ends_the_run_unclean_and_without_a_drain():
    """Broken: rows would go into the new topic to the end, or wait for acknowledgements that mean nothing."""
    bench = Bench(trades(3_000), run_options(Pace(rows_per_s=100)))

    def recreate():
        if len(bench.sink.sent) >= 500:
            bench.cluster.now = TopicIdentity("id-2", 2)
            bench.sink.down = True

    bench.sink.hook = recreate
    with pytest.raises(StateConflict, match="created again"):
        bench.run()
    assert len(bench.sink.sent) < 500 + 100 * (ASK_EVERY_S + 1)
    assert bench.last.state is JobState.RUNNING
    assert bench.clock.time_s - bench.saves[-2].at_s <= 2, "it waited for a drain"


def test_a_replay_is_done_only_if_its_topic_is_still_there():
    """Broken: a replay shorter than the time between two looks would not notice at all."""
    bench = Bench(trades(100))
    bench.cluster.now = TopicIdentity("id-2", 2)
    with pytest.raises(StateConflict):
        bench.run()
    assert bench.last.state is JobState.RUNNING


def test_a_checkpoint_that_cannot_be_written_ends_the_run_at_once():
    bench = Bench(trades(3_000), run_options(Pace(rows_per_s=100)))
    tried: list[int] = []

    def refuse(_: Progress) -> None:
        tried.append(len(bench.sink.sent))
        raise CheckpointUnwritable("disk full")

    bench.on_save = refuse
    with pytest.raises(CheckpointUnwritable):
        bench.run()
    assert len(tried) == 1
    assert bench.sink.closed
    assert len(bench.sink.sent) == tried[0]


def test_an_input_error_half_way_leaves_what_was_sent_clean():
    bench = Bench(trades(100), batch_rows=10, options=run_options(settings={"message.max.bytes": "602"}))
    rows = trades(100)
    rows[55] = rows[55]._replace(symbol="S" + "1" * 90)
    bench = Bench(rows, bench.options, batch_rows=10)
    with pytest.raises(InputError, match="fake, row 55"):
        bench.run()
    assert bench.last.state is JobState.CLEAN
    assert bench.last.progress.position.row == 50 == len(bench.sink.sent)


def test_the_producers_statistics_are_shown():
    """Broken: the metrics of librdkafka stay at zero however busy it is."""
    bench = Bench(trades(20))
    bench.sink.statistics = BrokerStatistics(queue_records=3)
    bench.run()
    assert bench.tally.statistics == BrokerStatistics(queue_records=3)


def test_rows_that_come_a_second_time_are_left_out_once():
    """Broken: after a lost connection, bad rows would be counted twice, and --bad-rows-max would end the run."""
    left_out = range(0, 300, 3)
    bench = Bench(trades(300), left_out=left_out)
    bench.run()
    bench.sink.closed = False
    bench.run()  # the same rows again, as after a Resync; the tally is the same
    assert bench.tally.counts == RowCounts(300, 200, 100)
