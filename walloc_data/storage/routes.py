"""The way to a host: straight, or through the proxy that the environment names for it."""

import importlib.util
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

from walloc_data.errors import DatasetError
from walloc_data.storage.urls import origin
from walloc_data.storage.work import waits_on

__all__ = ["Route", "open_route"]

_CONNECTIONS = 64  # kept open to one host; threads beyond that open their own each time
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_VARIABLES = "http_proxy, https_proxy or all_proxy"


@dataclass(frozen=True)
class Route:
    """Connections to a host, and the proxy that they go through, as messages may show it ("" for none).

    Waits for answers end with the work that they are for.
    """

    connections: urllib3.PoolManager
    proxy: str = ""

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = self.connections.pool_classes_by_scheme
        self.connections.pool_classes_by_scheme = {
            scheme: type("Pool", (kind,), {"ConnectionCls": type("Connection", (_Endable, kind.ConnectionCls), {})})
            for scheme, kind in kinds.items()
        }

    def refused(self) -> DatasetError:
        """What to say where the proxy answers 407."""
        return DatasetError(
            f"the proxy {self.proxy} asks for a login: write http://user:password@host:port in {_VARIABLES}"
        )

    def reason(self, error: Exception) -> str:
        """Why there is no answer, without the address that urllib3 repeats: it may hold a signature.

        Raises `DatasetError` where only the user can mend it.
        """
        causes = (error, *error.args)
        if isinstance(error, urllib3.exceptions.ProxyError):
            if any("failed: 407" in str(cause) for cause in causes):
                raise self.refused() from None
            return f"no connection to the proxy {self.proxy}"
        through = f" through the proxy {self.proxy}" if self.proxy else ""
        if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in causes):
            return f"the name of its host does not resolve{through}"
        if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
            return f"its host takes no connection{through}"
        if any(isinstance(cause, urllib3.exceptions.TimeoutError) for cause in causes):
            return f"timed out{through}"
        return f"the connection failed{through} ({type(error).__name__})"


class _Endable(urllib3.connection.HTTPConnection):
    """A connection whose wait for an answer ends with the work that it is for."""

    def getresponse(self) -> Any:
        waits_on(self.sock)
        return super().getresponse()


def open_route(url: str) -> Route:
    """The way to the host of a URL; nothing is connected yet.

    Which proxy, if any, is for requests to say, as for most programs in Python: `http_proxy`, `https_proxy` and
    `all_proxy`, and `no_proxy` with suffixes, ports and networks, in either case of letters. Raises
    `DatasetError` for one that cannot be used.
    """
    settings: dict[str, Any] = {"maxsize": _CONNECTIONS}
    if url.startswith("https:"):
        settings["ssl_context"] = _context()
    _, host, port = origin(url)
    named = select_proxy(url, get_environ_proxies(url))
    if not named or _exempt(host, port):
        return Route(urllib3.PoolManager(**settings))
    named = named if "://" in named else f"http://{named}"  # requests takes the host for the scheme
    try:
        address = urllib3.util.parse_url(named)
    except ValueError:
        raise DatasetError(
            f"the proxy in {_VARIABLES} is no URL ({_cut(named)}): write http://host:port, or leave it unset"
        ) from None  # urllib3 repeats the password
    proxy = f"{address.scheme}://{address.netloc}"
    if not address.host or address.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        raise DatasetError(
            f"the proxy in {_VARIABLES} is none that can be used ({_cut(named)}): write http://host:port, "
            "https://host:port or socks5h://host:port"
        )
    if address.scheme.startswith("socks"):
        return Route(_socks(named, proxy, settings), proxy)
    if address.scheme == "https":
        settings["proxy_ssl_context"] = settings.get("ssl_context") or _context()
    login = urllib3.make_headers(proxy_basic_auth=unquote(address.auth)) if address.auth else None
    return Route(urllib3.ProxyManager(named, proxy_headers=login, **settings), proxy)


def _socks(named: str, proxy: str, settings: dict[str, Any]) -> urllib3.PoolManager:
    if importlib.util.find_spec("socks") is None:
        raise DatasetError(f"the proxy {proxy} speaks SOCKS, which needs PySocks: pip install pysocks")
    from urllib3.contrib.socks import SOCKSProxyManager

    user, password = get_auth_from_url(named)
    return SOCKSProxyManager(proxy, username=user or None, password=password or None, **settings)


def _exempt(host: str, port: int) -> bool:
    """What `no_proxy` says of addresses in numbers that requests does not look for: ports, and networks of IPv6."""
    if proxy_bypass(f"{host}:{port}"):
        return True
    for entry in getproxies().get("no", "").split(","):
        with suppress(ValueError):
            if ip_address(host) in ip_network(entry.strip(), strict=False):
                return True
    return False


def _cut(proxy: str) -> str:
    """What may be shown of a proxy: no login."""
    return proxy.rpartition("@")[2]


def _context() -> ssl.SSLContext:
    """Trust in the authorities of the system and of certifi, or of the file or folder that the environment names."""
    context = urllib3.util.create_urllib3_context()
    context.load_default_certs()
    variable = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
    path = os.environ[variable] if variable else certifi.where()
    try:
        context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
    except OSError as error:
        raise DatasetError(
            f"{path}: the certificates in it cannot be read ({error}); correct ${variable or _CERTIFICATES[0]}"
        ) from error
    return context
