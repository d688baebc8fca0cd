import os
import pwd

import pytest

from walloc_data.entropy.compiled import compiled


@pytest.fixture
def no_home(monkeypatch):
    """No home folder, and a package that may not be written to: as in many containers."""
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)

    def unknown(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(os, "access", lambda *_: False)


def test_code_is_kept_where_there_is_a_place(monkeypatch, no_home, tmp_path):
    def double(x):
        return 2 * x

    assert compiled(double)(3) == 6
    assert not compiled(double).stats.cache_path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compiled(double).stats.cache_path
