"""Numbers as people read them."""

__all__ = ["readable_bytes", "readable_psnr"]


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
