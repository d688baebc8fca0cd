"""What the package does where a library of one of its extras is not installed."""

import subprocess
import sys


def error_without(module: str, code: str) -> str:
    """What the code ends with in a process of its own, where the package (`w`) finds no such module."""
    program = f"import sys; sys.modules[{module!r}] = None; import walloc_data as w; w.ImageReader(); {code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    return done.stderr.splitlines()[-1]
