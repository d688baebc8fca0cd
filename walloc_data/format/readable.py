"""Numbers as people read them."""

__all__ = ["readable_bytes", "readable_psnr", "readable_ratio"]


def readable_psnr(decibels: float | None) -> str:
    """What a summary says of distortion."""
    return "PSNR unknown" if decibels is None else f"{decibels:.2f} dB on a sample of the data"


def readable_bytes(count: float) -> str:
    """A number of bytes with three digits or so and a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def readable_ratio(source: float, stored: float, what: str = "") -> tuple[str, str]:
    """How many times what is stored is `"smaller"` or `"larger"` (than `what` it was made of), with one decimal, and
    which; `"as large"` where that is 1.0."""
    times = f"{max(source, stored) / max(1, min(source, stored)):.1f}"
    how, than = ("as large", "as") if times == "1.0" else ("smaller" if source > stored else "larger", "than")
    return times, f"{how} {than} {what}" if what else how
