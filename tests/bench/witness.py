"""What the topic and the kernel say about a replay: independent of what it says of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from confluent_kafka import Consumer, Message, TopicPartition

from replay.model import Floats, Ints

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_BUSY = slice(0, 3)  # user, nice, system of /proc/stat; what follows is idle time, and what is counted elsewhere


def timestamps_ms(bootstrap_servers: str, topic: str, partitions: int, records: int, wait_s: float = 10) -> Ints:
    """The timestamps of the first `records` records of a topic, ascending. Raises `RuntimeError` for fewer."""
    settings = {"bootstrap.servers": bootstrap_servers, "group.id": "witness", "fetch.queue.backoff.ms": 5}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", "queued.max.messages.kbytes": 65_536})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    times: list[int] = []
    while len(times) < records:
        messages = consumer.consume(10_000, timeout=wait_s)
        if not messages:
            raise RuntimeError(f"{topic}: {len(times):,} of {records:,} records")
        times += [time for _, time in map(Message.timestamp, messages)]
    consumer.close()
    return np.sort(np.array(times, dtype=np.int64))


def high_watermarks(bootstrap_servers: str, topic: str, partitions: int) -> list[int]:
    """Of each partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "witness"})
    marks = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in range(partitions)]
    consumer.close()
    return [high for _, high in marks]


@dataclass(frozen=True, slots=True)
class Bursts:
    """The most rows with one timestamp (1 ms), and within 5 ms."""

    at_once: int
    in_5_ms: int


def bursts(times_ms: Ints) -> Bursts:
    return Bursts(_most_within(times_ms, 1), _most_within(times_ms, 5))


def _most_within(times_ms: Ints, ms: int) -> int:
    ends = np.searchsorted(times_ms, times_ms + ms, side="left")
    return int((ends - np.arange(len(times_ms))).max(initial=0))


@dataclass(frozen=True, slots=True)
class Quantiles:
    p50_ms: float
    p99_ms: float
    max_ms: float

    def __str__(self) -> str:
        return f"{self.p50_ms:.1f} / {self.p99_ms:.1f} / {self.max_ms:.1f}"


def lateness(times_ms: Ints, due_ms: Floats) -> Quantiles:
    """Of rows against their schedule, which begins with whoever was the most punctual."""
    late = times_ms - due_ms
    late -= late.min()
    return Quantiles(*(float(q) for q in np.quantile(late, (0.5, 0.99, 1.0))))


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds so far: of some processes, and of the machine."""

    of: Mapping[int, float]
    machine_s: float

    @classmethod
    def now(cls, *pids: int) -> Cpu:
        whole = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        return cls({pid: _cpu_s(pid) for pid in pids}, sum(map(int, whole[_BUSY])) / _TICKS_PER_S)

    def others_since(self, before: Cpu) -> float:
        """What everybody else on the machine has used."""
        own = sum(self.of[pid] - before.of[pid] for pid in self.of)
        return max(0.0, self.machine_s - before.machine_s - own)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S  # utime, stime: the name may hold blanks


def peak_mib(pid: int) -> float:
    """The largest memory of a running process so far."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
