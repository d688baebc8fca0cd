"""Make a site of README and docs: `python -m tools.make_site FOLDER` (`pip install '.[docs]'`).

Every link between pages has to lead somewhere, or nothing is made.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/**/*.*", "benchmarks/results/*.png", "examples/*.py", "walloc_data/weights/README.md")


def main() -> int:
    """Copy what the site is made of, and let mkdocs make it; the exit status is its own."""
    parser = argparse.ArgumentParser(description="Make a site of README and docs.")
    parser.add_argument("folder", type=Path, help="where the site is to stand; what is there goes")
    site = parser.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "mkdocs.yml", folder)
        for path in (path for pattern in PAGES for path in ROOT.glob(pattern)):
            target = Path(folder, "pages", path.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
        return subprocess.run(line, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
