"""URLs: what messages may show of them, and who is behind them."""

import re
from urllib.parse import urlsplit

__all__ = ["origin", "shown"]


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: credentials for one are not for another."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def shown(url: str) -> str:
    """A URL without what may be secret: query, fragment, user and password."""
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0]).rstrip("/")
