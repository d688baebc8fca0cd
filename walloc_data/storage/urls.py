"""URLs: what messages may show of them, and who is behind them."""

import re
from urllib.parse import urljoin, urlsplit

__all__ = ["origin", "redirected", "shown", "trusted"]


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def redirected(url: str, location: str) -> str:
    """The URL that a redirect leads to. Raises `ValueError`, which says what it leads to, for one not to follow."""
    try:
        following = urljoin(url, location)
        scheme, host, _ = origin(following)
    except ValueError:
        scheme = host = ""
    if scheme not in ("http", "https") or not host:
        raise ValueError("what is no web address")
    if scheme == "http" and origin(url)[0] == "https":
        raise ValueError("http from https, which is not safe")
    return following


def shown(url: str) -> str:
    """A URL without what may be secret: query, fragment, user and password."""
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0]).rstrip("/")


def trusted(url: str, first: str) -> bool:
    """Whether credentials for the URL `first` may go to another: the same origin, or its upgrade from http to https."""
    asked, given = origin(url), origin(first)
    return asked == given or (given[0] == "http" and given[2] == 80 and asked == ("https", given[1], 443))
