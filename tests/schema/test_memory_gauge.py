"""How much memory the process uses, and may use."""

from pathlib import Path

from schema.server.memory import MemoryGauge, read_cgroup_limit, read_resident_bytes


def test_memory_is_read_at_most_ten_times_in_a_second() -> None:
    times, readings = iter([1.0, 1.05, 1.2]), iter([100, 200])
    gauge = MemoryGauge(1000, clock=lambda: next(times), read=lambda: next(readings))
    assert [gauge.used_part() for _ in range(3)] == [0.1, 0.1, 0.2]
    assert 2**20 < read_resident_bytes() < 2**40


def test_the_memory_limit_is_the_lowest_of_the_control_groups(tmp_path: Path) -> None:
    groups = tmp_path / "cgroup"
    groups.write_text("0::/system.slice/gateway.service\n")
    (tmp_path / "system.slice" / "gateway.service").mkdir(parents=True)
    (tmp_path / "system.slice" / "memory.max").write_text("2000000000\n")
    (tmp_path / "system.slice" / "gateway.service" / "memory.max").write_text("max\n")
    assert read_cgroup_limit(tmp_path, groups) == 2_000_000_000
    groups.write_text("5:cpu,memory:/docker/a\n")
    assert read_cgroup_limit(tmp_path, groups) is None
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1000000000\n")
    assert read_cgroup_limit(tmp_path, groups) == 1_000_000_000
