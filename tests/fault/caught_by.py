"""Which tests notice which break of tests/support/broken_builds.py, and how their failure tells it from any other."""

from __future__ import annotations

from dataclasses import dataclass

FAULT, INTEGRATION, UNIT = "tests/fault", "tests/integration", "tests/unit"
JOB, SELECTED = f"{FAULT}/test_job_killed.py", f"{FAULT}/test_job_killed_selected.py"
APPENDING, DUMP = f"{FAULT}/test_job_killed_appending.py", f"{FAULT}/test_dump_killed.py"
BROKER, REFUSED = f"{FAULT}/test_broker_faults.py", f"{FAULT}/test_record_refused.py"
TRANSACTIONAL, INSTANCES = f"{FAULT}/test_transactional.py", f"{FAULT}/test_instances.py"
DISK, FULL_LOG, MEMORY = (
    f"{FAULT}/test_checkpoint_disk.py", f"{FAULT}/test_disk_full.py", f"{FAULT}/test_out_of_memory.py",
)  # fmt: skip
NODES, HIDDEN = f"{FAULT}/test_three_nodes.py", f"{FAULT}/test_hidden_rows.py"
NETWORK, LOST_ACKS = f"{FAULT}/test_network.py", f"{FAULT}/test_lost_acknowledgements.py"
TOPIC = f"{FAULT}/test_topic_changes.py"
STATE = f"{INTEGRATION}/test_state_conflicts.py"
PRODUCER = f"{UNIT}/kafka/test_producer.py"
IDEMPOTENT = f"{UNIT}/delivery/test_idempotent.py"
TOLD = f"{FAULT}/test_counts_told.py"
REGISTRY, REGISTRY_FAULTS = f"{INTEGRATION}/test_registry.py", f"{INTEGRATION}/test_registry_faults.py"
STATISTICS = f"{INTEGRATION}/test_wrong_statistics.py"
FORMATS = f"{FAULT}/test_formats.py"
SECURED = f"{FAULT}/test_secured.py"
WITHDRAWN, QUOTA = f"{FAULT}/test_access_withdrawn.py", f"{FAULT}/test_quota.py"
TLS = f"{FAULT}/test_tls_rotated.py::test_certificates_are_replaced_in_mid_run"
TOKEN = f"{FAULT}/test_token_expires.py::test_a_token_server_that_is_away_for_a_while"

DUPLICATED = r"not exact: [\d ]*duplicated"
LOST = r"not exact: [\d ]*lost"
SHORT_PARTITION = r"partition \d: \d+ of \d+"
"""Of a dump: a partition has more or fewer records than it should."""
MISTOLD = r"assert Told\(in_topic|assert \(?\(?0 < \d+|assert \d+ <= \d+$"
STILL_RUNNING = r"still running after \d+ s"


def ended(code: int | str, wanted: int) -> str:
    """The job ended with this exit code instead of that one."""
    return rf"^assert {code} == {wanted}$|exit {code} instead of {wanted}:"


@dataclass(frozen=True)
class Catch:
    """A test that fails of the break, and what its failure says."""

    test: str
    says: str


def each_of(file: str, says: str, *tests: str) -> list[Catch]:
    """Tests of one file whose failures say the same."""
    return [Catch(f"{file}::{test}", says) for test in tests]


NO_FAULT = {
    f"{FAULT}/test_three_nights.py::test_three_nights",
    f"{FAULT}/test_week_of_nights.py::test_a_week_of_nights",
}
"""Stories of operation; their faults are those of the others."""

CAUGHT_BY = {
    # -- resume
    "no-tail-read": [
        *each_of(
            FORMATS,
            rf"exit 0 instead of -9|{DUPLICATED}",
            "test_killed_at_one_exact_place_after_the_other[avro]",
            "test_killed_at_a_random_moment[avro]",
            "test_the_broker_is_killed_and_then_both[avro]",
        ),
        Catch(f"{SECURED}::test_killed_at_one_exact_place_after_the_other", rf"exit 0 instead of -9|{DUPLICATED}"),
        Catch(f"{SECURED}::test_job_and_broker_killed_at_random[0]", DUPLICATED),
        *each_of(
            JOB,
            DUPLICATED,
            "test_killed_at_a_random_moment[9]",
            "test_killed_at_an_exact_place[after report 1]",
            "test_killed_at_an_exact_place[after report 5000]",
            "test_killed_at_an_exact_place[before save 3]",
            "test_killed_at_full_speed[0]",
            "test_a_resume_killed_at_an_exact_place[after save 1]",
            "test_a_resume_killed_at_an_exact_place[after send 1]",
            "test_a_resume_killed_at_an_exact_place[before done 1]",
        ),
        *(
            Catch(f"{SELECTED}::test_killed_and_killed_again[{kind}]", DUPLICATED)
            for kind in ("selected", "limited", "quarantined", "many files", "sorted", "kept")
        ),
        Catch(f"{SELECTED}::test_killed_while_bad_rows_are_put_aside", DUPLICATED),
        Catch(f"{DUMP}::test_a_dump_killed_at_random_moments[idempotent-0]", ended(1, 0)),
        *each_of(
            APPENDING,
            DUPLICATED,
            "test_a_file_more[idempotent-after report 900]",
            "test_a_file_that_grew[after report 900]",
            "test_a_day_that_was_empty[after report 900]",
        ),
        Catch(f"{BROKER}::test_a_job_killed_while_the_broker_hangs", DUPLICATED),
        Catch(f"{BROKER}::test_broker_and_job_both_killed[job]", DUPLICATED),
        Catch(f"{LOST_ACKS}::test_a_job_killed_whose_acknowledgements_were_lost", DUPLICATED),
        Catch(f"{INSTANCES}::test_a_checkpoint_that_was_copied_to_two_machines", DUPLICATED),
        Catch(f"{NETWORK}::test_a_connection_that_breaks[lose_answers]", DUPLICATED),
        Catch(f"{NODES}::test_jobs_killed_and_resumed_while_a_node_hangs[leader]", DUPLICATED),
        Catch(f"{NODES}::test_jobs_killed_and_resumed_while_a_node_hangs[follower]", DUPLICATED),
    ],
    "headers-not-compared": [
        *each_of(
            DUMP,
            SHORT_PARTITION,
            "test_killed_while_others_write_the_same_with_other_headers[after report 5000]",
        ),
        Catch(f"{INTEGRATION}/test_dump.py::test_one_changed_byte_is_found", ended(0, 1)),
    ],
    "tail-by-count": [Catch(f"{JOB}::test_killed_at_an_exact_place[after report 5000]", LOST)],
    "timeout-is-end": [
        Catch(f"{BROKER}::test_a_broker_that_hangs_while_a_resume_reads", f"{DUPLICATED}|{ended(4, 0)}"),
    ],
    "no-settle-wait": [
        Catch(f"{HIDDEN}::test_rows_that_a_hanging_follower_hides_are_waited_for[a follower]", DUPLICATED),
        Catch(
            f"{IDEMPOTENT}::test_with_replicas_it_waits_until_none_can_hold_rows_back[20.0]",
            r"\[3\]",
        ),
        Catch(f"{IDEMPOTENT}::test_with_one_replica_two_equal_looks_are_enough", r"\[3\]"),
    ],
    "sync-not-looked-at": [
        Catch(f"{NODES}::test_jobs_killed_and_resumed_below_min_isr", DUPLICATED),
    ],
    "silent-replica-ignored": [
        Catch(f"{HIDDEN}::test_rows_that_a_hanging_follower_hides_are_waited_for[the controller]", DUPLICATED),
        Catch(f"{HIDDEN}::test_a_broker_that_counts_as_in_sync_is_asked_whether_it_is_there", "no answer from broker"),
    ],
    "save-before-tail-read": [
        Catch(f"{JOB}::test_a_resume_killed_at_an_exact_place[amid read 1]", DUPLICATED),
        Catch(f"{JOB}::test_a_resume_killed_at_an_exact_place[after read 1]", DUPLICATED),
    ],
    "no-start-save": [Catch(f"{JOB}::test_killed_before_it_saved_any_progress", DUPLICATED)],
    "one-start-save": [Catch(f"{JOB}::test_the_generation_before_never_hides_a_tail", DUPLICATED)],
    "lead-unbounded": [
        Catch(
            f"{UNIT}/delivery/test_session.py::test_no_row_goes_further_beyond_the_older_generation_than_a_resume_would_look",
            r"assert \d+ <= \d+",
        )
    ],
    "no-patience": [Catch(f"{BROKER}::test_a_broker_that_is_down_at_the_start", r"assert 'within 2 s' in")],
    "done-is-forgotten": [
        Catch(f"{JOB}::test_killed_at_an_exact_place[after done 1]", DUPLICATED),
        Catch(f"{BROKER}::test_a_finished_job_sends_nothing_more_unless_told_to", "assert 'nothing to do' in"),
    ],
    "verify-is-blind": [Catch(f"{INSTANCES}::test_two_instances_with_two_checkpoints", ended(0, 1))],
    "statistics-believed": [
        Catch(f"{STATISTICS}::test_rows_that_statistics_hide_are_sent", ended(1, 0)),
        Catch(f"{STATISTICS}::test_symbols_that_statistics_hide_are_sent", ended(3, 0)),
        Catch(f"{STATISTICS}::test_a_late_file_that_hides_its_rows_is_told", ended(0, 4)),
    ],
    "verify-believes-statistics": [
        Catch(f"{STATISTICS}::test_verify_finds_what_a_run_that_trusts_statistics_has_lost", ended(0, 1)),
    ],
    # -- what must be refused
    "watermark-not-checked": [
        Catch(f"{BROKER}::test_acknowledged_rows_that_are_gone_are_no_secret", ended(0, 4)),
        Catch(f"{BROKER}::test_a_tail_that_retention_took_is_no_secret", r"assert 'deleted \(retention\)' in"),
        Catch(f"{STATE}::test_offsets_beyond_the_topic_s_end", ended(0, 4)),
    ],
    "topic-id-not-checked": [
        Catch(f"{STATE}::test_a_topic_made_anew_that_others_have_filled", ended(0, 4)),
        Catch(f"{BROKER}::test_a_wiped_broker_is_another_cluster_s_topic", ended(0, 4)),
        Catch(f"{BROKER}::test_another_topic_than_before_is_refused[recreated-killed]", ended(0, 4)),
        Catch(f"{BROKER}::test_another_topic_than_before_is_refused[recreated-done]", "assert 'created again' in"),
    ],
    "deleted-is-a-typing-error": [
        Catch(f"{BROKER}::test_another_topic_than_before_is_refused[deleted-killed]", ended(2, 4))
    ],
    "topic-not-watched": [
        Catch(f"{TOPIC}::test_a_topic_deleted_in_the_middle", STILL_RUNNING),
        Catch(f"{TOPIC}::test_a_topic_created_again_in_the_middle", ended(0, 4)),
        Catch(f"{TOPIC}::test_partitions_added_in_the_middle", "assert '9 partitions now' in"),
    ],
    "job-not-compared": [
        Catch(f"{STATE}::test_inputs_that_changed[edit]", ended(0, 4)),
        Catch(f"{STATE}::test_one_checkpoint_for_two_topics", r"the message does not say"),
        Catch(f"{BROKER}::test_another_topic_than_before_is_refused[more partitions-killed]", ended(70, 4)),
        Catch(f"{TRANSACTIONAL}::test_switching_the_delivery", ended(0, 4)),
    ],
    "damaged-is-new": [Catch(f"{JOB}::test_the_generation_before_is_as_good", ended(0, 4))],
    "plain-partitioner": [
        Catch(f"{INTEGRATION}/test_run.py::test_overlapping_files_become_one_order", r"not exact: .*misplaced")
    ],
    "out-of-memory-is-a-bug": [Catch(f"{MEMORY}::test_out_of_memory_in_the_middle[8388608]", r"^assert \(3 == 2")],
    # -- acknowledgements
    "save-before-ack": [Catch(f"{JOB}::test_rows_that_wait_for_a_fuller_batch_are_not_saved", LOST)],
    "ignore-failed-report": [
        Catch(f"{REFUSED}::test_a_record_that_the_broker_refuses", f"{STILL_RUNNING}|{ended(0, 7)}")
    ],
    "gaps-allowed": [Catch(f"{REFUSED}::test_nothing_goes_past_a_record_that_the_broker_refuses", "a gap: not exact")],
    "failures-of-whole-chunks": [
        Catch(f"{NETWORK}::test_answers_that_make_the_producer_change_its_epoch[transactional]", STILL_RUNNING)
    ],
    "purged-is-delivered": [
        Catch(f"{FULL_LOG}::test_a_full_disk_and_space_again", LOST),
        Catch(
            f"{BROKER}::test_a_stop_while_the_broker_is_down_is_heard_at_once", f"{LOST}|assert 'clean' == 'running'"
        ),
    ],
    "outage-not-told": [Catch(f"{BROKER}::test_a_frozen_broker_shows_within_seconds", "no 'Broker unreachable since'")],
    "slow-is-an-outage": [Catch(f"{NETWORK}::test_latency_and_jitter", "assert 'going on wi.*' not in")],
    "outage-is-a-crash": [
        *each_of(
            NODES,
            DUPLICATED,
            "test_nodes_that_come_back[freeze_the_leader]",
            "test_nodes_that_come_back[kill_two]",
            "test_nodes_that_come_back[kill_a_follower_of_three_that_are_needed]",
            "test_leaders_of_many_partitions_move",
        ),
    ],
    "stall-is-a-crash": [Catch(f"{JOB}::test_frozen_for_longer_than_it_would_wait_for_a_broker", DUPLICATED)],
    "stop-without-drain": [
        Catch(f"{BROKER}::test_a_signal_drains_and_saves[2-130]", "assert 'running' == 'clean'"),
        Catch(f"{BROKER}::test_a_signal_drains_and_saves[15-143]", "assert 'running' == 'clean'"),
        Catch(f"{TRANSACTIONAL}::test_stopped_in_the_middle_of_a_transaction", "^assert 0 >= 3000"),
    ],
    "retry-on-lost-connection": [
        Catch(f"{LOST_ACKS}::test_a_retry_after_the_broker_died_is_no_copy", DUPLICATED),
        Catch(f"{LOST_ACKS}::test_the_same_where_only_the_statistics_tell_of_it", DUPLICATED),
    ],
    "lost-connection-is-the-end": [
        Catch(f"{BROKER}::test_a_broker_killed_and_restarted_is_waited_for", f"{ended(7, 0)}|no 'retrying until'"),
        *each_of(
            NETWORK,
            ended(7, 0),
            "test_a_connection_that_breaks[reset_in_a_request]",
            "test_a_connection_that_breaks[reset_in_a_commit]",
            "test_a_connection_that_breaks[fall_silent]",
        ),
        *each_of(
            NODES,
            ended(7, 0),
            "test_nodes_that_come_back[stop_the_leader]",
            "test_nodes_that_come_back[kill_the_leader]",
            "test_nodes_that_come_back[kill_one_after_the_other]",
            "test_nodes_that_come_back[kill_the_coordinator_in_a_commit]",
        ),
    ],
    "epoch-bump-ignored": [
        Catch(f"{NETWORK}::test_answers_that_make_the_producer_change_its_epoch[idempotent]", DUPLICATED),
        Catch(
            f"{PRODUCER}::test_a_new_epoch_ends_this_producer_and_nothing_is_drained[log]",
            "DID NOT RAISE",
        ),
    ],
    "no-deadline": [
        Catch(f"{BROKER}::test_a_broker_that_hangs_for_too_long", STILL_RUNNING),
        Catch(f"{BROKER}::test_a_broker_away_for_too_long_ends_the_run_and_the_next_one_goes_on", STILL_RUNNING),
        Catch(f"{NETWORK}::test_a_connection_that_stays_silent_ends_the_run_and_the_next_one_goes_on", STILL_RUNNING),
        Catch(f"{NODES}::test_all_nodes_down_for_too_long", STILL_RUNNING),
        Catch(f"{TRANSACTIONAL}::test_a_broker_that_is_killed_and_comes_back", STILL_RUNNING),
    ],
    "flush-without-limit": [Catch(f"{BROKER}::test_a_broker_that_hangs_for_too_long", STILL_RUNNING)],
    "signals-counted-singly": [Catch(f"{BROKER}::test_signals_that_come_together_are_one", r"assert 143 is None")],
    "second-signal-ignored": [Catch(f"{BROKER}::test_a_second_signal_ends_the_drain", STILL_RUNNING)],
    # -- the checkpoint on disk
    "no-lock": [
        Catch(f"{BROKER}::test_a_second_instance_is_refused_and_the_first_unharmed", ended(r"\d+", 6)),
        Catch(f"{INSTANCES}::test_progress_is_read_after_the_others_are_fenced", ended(r"\d+", 6)),
    ],
    "no-fsync": [Catch(f"{JOB}::test_the_power_fails", ended(4, 0))],
    "no-folder-fsync": [Catch(f"{JOB}::test_the_power_fails_after_a_clean_stop_and_a_resume", DUPLICATED)],
    "not-atomic-save": [
        Catch(f"{JOB}::test_killed_at_an_exact_place[amid write 1 of save 3]", ended(4, 0)),
        Catch(f"{DISK}::test_a_disk_that_fails[before write 1]", r"assert b'' == b'"),
    ],
    "leftovers-in-the-way": [
        *each_of(
            JOB,
            ended(8, 0),
            "test_killed_at_an_exact_place[amid write 1 of save 3]",
            "test_killed_at_an_exact_place[before fsync 1 of save 3]",
            "test_killed_at_an_exact_place[after link 1 of save 3]",
        ),
    ],
    "moved-away-first": [Catch(f"{JOB}::test_killed_at_an_exact_place[after replace 1 of save 3]", ended(4, 0))],
    "always-clean": [
        Catch(f"{JOB}::test_killed_at_an_exact_place[after report 5000]", DUPLICATED),
        Catch(f"{JOB}::test_killed_at_an_exact_place[before done 1]", DUPLICATED),
        Catch(f"{BROKER}::test_a_stop_while_the_broker_is_down_is_heard_at_once", r"assert 'clean' == 'running'"),
    ],
    "save-errors-ignored": [
        Catch(f"{BROKER}::test_a_checkpoint_that_cannot_be_written_any_more", ended(0, 8)),
        *each_of(
            DISK,
            ended(0, 8),
            "test_a_full_disk",
            "test_a_full_disk_and_the_very_first_save",
            "test_a_disk_that_becomes_read_only",
            "test_a_disk_that_fails[before fsync 1]",
            "test_a_disk_that_fails_when_the_new_file_is_in_place",
            "test_a_disk_that_fails_at_the_very_first_save",
        ),
    ],
    # -- transactional
    "init-after-read": [Catch(f"{INSTANCES}::test_progress_is_read_after_the_others_are_fenced", DUPLICATED)],
    "progress-uncommitted": [
        *each_of(
            TRANSACTIONAL,
            LOST,
            "test_killed_at_an_exact_place[before commit 4]",
            "test_a_resume_killed_at_an_exact_place[after init 1]",
            "test_a_resume_killed_at_an_exact_place[amid read 1]",
            "test_a_resume_killed_at_an_exact_place[after commit 1]",
        ),
    ],
    "progress-unread": [
        Catch(f"{TRANSACTIONAL}::test_killed_at_a_random_moment[0]", ended(4, 0)),
        Catch(f"{TRANSACTIONAL}::test_killed_at_a_random_moment[1]", DUPLICATED),
    ],
    "file-over-kafka": [
        Catch(f"{DUMP}::test_killed_in_a_transaction_of_a_dump[after commit 4]", ended(1, 0)),
        Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[after commit 4]", DUPLICATED),
    ],
    "file-needed": [
        *each_of(
            TRANSACTIONAL,
            ended(4, 0),
            "test_a_run_without_trouble",
            "test_killed_at_an_exact_place[after commit 1]",
            "test_killed_at_a_random_moment[1]",
        ),
    ],
    "file-not-compared": [
        *each_of(
            TRANSACTIONAL,
            ended(0, 4),
            "test_a_checkpoint_without_its_progress_record[another job]",
            "test_a_checkpoint_without_its_progress_record[progress topic deleted]",
            "test_a_progress_record_that_cannot_be_right",
        ),
    ],
    "no-owner-check": [Catch(f"{TRANSACTIONAL}::test_a_zombie_is_fenced", ended(0, 6))],
    "own-transactional-id": [
        Catch(f"{TRANSACTIONAL}::test_two_instances_of_one_job", DUPLICATED),
        Catch(f"{TRANSACTIONAL}::test_a_zombie_is_fenced", ended(0, 6)),
    ],
    "fenced-is-the-end": [
        Catch(f"{TRANSACTIONAL}::test_frozen_for_longer_than_its_transaction_lives", ended(6, 0)),
    ],
    "resync-is-the-end": [
        Catch(f"{TRANSACTIONAL}::test_frozen_for_longer_than_its_transaction_lives", ended(7, 0)),
        Catch(f"{NETWORK}::test_a_commit_that_arrives_after_its_transaction_has_timed_out", ended(7, 0)),
    ],
    "commit-not-checked": [Catch(f"{INSTANCES}::test_a_commit_that_comes_too_late", ended(0, 6))],
    "save-before-claim": [Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[before commit 1]", ended(4, 0))],
    "save-before-commit": [Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[before commit 4]", ended(4, 0))],
    "progress-in-another-transaction": [
        Catch(f"{TRANSACTIONAL}::test_killed_at_an_exact_place[after commit 4]", DUPLICATED)
    ],
    "transaction-rows-ignored": [
        Catch(f"{TRANSACTIONAL}::test_a_transaction_ends_after_so_many_rows", "^assert 16000 <= 5000"),
        Catch(f"{TRANSACTIONAL}::test_a_transaction_may_be_smaller_than_a_burst", "^assert 16000 <= 1000"),
    ],
    "transaction-ms-ignored": [
        Catch(f"{TRANSACTIONAL}::test_a_transaction_ends_after_so_long", r"^assert 4 <= \d$"),
        Catch(f"{TRANSACTIONAL}::test_readers_wait_no_longer_than_a_transaction", r"0 of \d+ records"),
    ],
    "appended-not-compared": [Catch(f"{TRANSACTIONAL}::test_an_appended_file_before_kafka_s_position", ended(0, 4))],
    "fingerprint-not-compared": [Catch(f"{TRANSACTIONAL}::test_an_appended_file_behind_all_others", ended(0, 4))],
    "first-offsets-forgotten": [
        Catch(f"{TRANSACTIONAL}::test_first_offsets_survive_the_machine", r"^assert \[.*\] == \[")
    ],
    "progress-topic-not-checked": [
        Catch(
            f"{TRANSACTIONAL}::test_a_progress_topic_that_would_forget[1-config0-cleanup.policy is delete]",
            ended(0, 2),
        ),
        Catch(
            f"{TRANSACTIONAL}::test_a_progress_topic_that_would_forget[2-config1-exactly one partition]", ended(0, 2)
        ),
    ],
    # -- what is told
    "positions-told-as-rows": [
        Catch(f"{TOLD}::test_all_displays_tell_what_the_topic_holds[selected-idempotent]", MISTOLD),
        Catch(f"{TOLD}::test_all_displays_tell_what_the_topic_holds[limited-transactional]", MISTOLD),
    ],
    "reasons-forgotten": [
        Catch(f"{TOLD}::test_all_displays_tell_what_the_topic_holds[bad-idempotent]", MISTOLD),
        Catch(f"{TOLD}::test_all_displays_tell_what_the_topic_holds[bad-transactional]", MISTOLD),
    ],
    "checkpoint-not-told": [
        Catch(
            f"{TOLD}::test_a_resume_that_never_reached_the_broker_tells_what_the_checkpoint_knows[idempotent]", MISTOLD
        ),
    ],
    # -- the schema registry
    "id-not-proven": each_of(
        REGISTRY,
        "DID NOT RAISE",
        "test_another_schema_under_the_same_id_is_refused[unknown]",
        "test_another_schema_under_the_same_id_is_refused[registered, too]",
        "test_an_id_that_was_given_again_after_a_loss_is_refused",
    ),
    "registered-unasked": [
        Catch(f"{REGISTRY}::test_without_the_option_nothing_is_registered[{kind}]", "DID NOT RAISE")
        for kind in ("AVRO", "JSON", "PROTOBUF")
    ],
    "no-hope-is-waited-for": each_of(
        REGISTRY_FAULTS,
        "RegistryUnavailable",
        "test_a_url_that_is_no_registry_s[/ui]",
        "test_a_redirect_is_named",
        "test_a_certificate_that_is_refused[expired]",
        "test_plain_http_where_tls_is_spoken",
    ),
    "registry-call-unbounded": [
        Catch(f"{REGISTRY_FAULTS}::test_an_answer_that_trickles_in_is_no_answer", "DID NOT RAISE"),
        Catch(f"{REGISTRY_FAULTS}::test_a_signal_is_heard_while_the_registry_hangs", r"assert .* < 5"),
    ],
    # -- a cluster that lets in whom it knows
    "login-not-waited-for": [
        Catch(f"{WITHDRAWN}::test_a_password_that_changes", r"no 'Kafka refuses the login of user .* \(exit 2\)"),
        Catch(f"{WITHDRAWN}::test_a_password_that_changes_in_its_file_first", ended(2, 0)),
        Catch(TOKEN, r"^assert \[2, .* == \[None, None\]"),
    ],
    "refusal-is-an-outage": [Catch(f"{WITHDRAWN}::test_a_user_that_is_deleted", ended(5, 2))],
    "hidden-is-deleted": [Catch(f"{WITHDRAWN}::test_rights_that_are_withdrawn", ended(4, 2))],
    "rights-not-asked": [Catch(f"{WITHDRAWN}::test_rights_that_are_withdrawn", STILL_RUNNING)],
    "secrets-read-once": [
        Catch(f"{WITHDRAWN}::test_a_password_that_changes", STILL_RUNNING),
        Catch(f"{WITHDRAWN}::test_a_password_that_changes_in_its_file_first", STILL_RUNNING),
    ],
    "tls-files-read-once": [Catch(TLS, r"row \d+ not reached \(still running\)")],
    "tls-fault-is-the-end": [Catch(TLS, r"row \d+ not reached \(exit 2\)|no 'accepts client .* \(exit 2\)")],
    "tls-fault-is-an-outage": [Catch(TLS, r"no 'accepts client certificates .* \(still running\)")],
    "token-never-renewed": [Catch(TOKEN, "no token is renewed")],
    "token-server-not-waited-for": [Catch(TOKEN, r"^assert \[.*5.*\] == \[None, None\]")],
    "token-refusal-is-the-end": [Catch(TOKEN, r"^assert \[.*2.*\] == \[None, None\]")],
    "quota-is-an-outage": [Catch(f"{QUOTA}::test_a_client_that_is_slowed_down", ended(5, 0))],
    "quota-not-told": [
        Catch(f"{QUOTA}::test_a_client_that_is_slowed_down", r"^AssertionError: assert 'The cluster slows .* in ")
    ],
}
