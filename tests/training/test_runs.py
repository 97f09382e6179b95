"""The folders of runs, by themselves."""

import threading
from concurrent.futures import ThreadPoolExecutor

from emop3d_np.training import runs


def test_runs_begun_in_one_second(tmp_path, monkeypatch):
    """Each has a folder of its own; a link that leads nowhere is in nobody's way, and nothing is made behind it."""
    monkeypatch.setattr(runs.time, "strftime", lambda _: "now")
    (tmp_path / "now-2").symlink_to(tmp_path / "elsewhere")
    together = threading.Barrier(8)

    def begin(_):
        together.wait()
        return runs.RunFolder.create(tmp_path, "c").path

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(begin, range(8)))
    assert sorted(made) == sorted(tmp_path / name for name in ("now", *(f"now-{number}" for number in range(3, 10))))
    assert not (tmp_path / "elsewhere").exists()
