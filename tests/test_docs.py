"""Pages of docs whose code runs as it stands, on photographs of the tests."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["coming-from-imagefolder", "reading"])
def test_the_code_of_a_page_runs(name, dataset, tmp_path, monkeypatch):
    (tmp_path / "latents").symlink_to(dataset)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{name}.md").read_text("utf-8"), re.DOTALL)
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, f"{name}.md", "exec"), namespace)
    assert len(blocks) > 2
