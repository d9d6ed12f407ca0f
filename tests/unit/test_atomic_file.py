"""A file replaced as a whole."""

from __future__ import annotations

import os
import stat

from replay.atomic_file import replace_file


def test_a_device_or_pipe_is_written_to_and_never_replaced(tmp_path):
    """Broken: as root, `--summary-json /dev/null` puts a file into the place of the device."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(path, b"told")
    assert os.read(reader, 100) == b"told"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    """Broken: `latest.html`, a link into another folder, becomes a file here, and there nothing is new."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "latest.html"
    link.symlink_to(tmp_path / "there" / "report.html")
    replace_file(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "report.html").read_bytes() == b"new"
