"""What a refusal of the Hugging Face Hub means, or a failure of its client, and what to do about it."""

import sys
from typing import NamedTuple

__all__ = ["HubFailures", "hub_failures", "hub_refusal", "hub_unreachable"]

_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def hub_refusal(
    status: int, code: str, message: str, *, page: str, revision: str | None = None, known: bool = True
) -> str:
    """One sentence about an answer of the Hub.

    `status`, `code` and `message` are its HTTP status and its headers `X-Error-Code` and `X-Error-Message` (empty
    where there is none), `page` the address of the repository, `revision` what was asked for, `known` whether a
    token was sent.
    """
    if code == "GatedRepo":
        log_in = "" if known else f", and {_LOG_IN}"
        return f"{page} is gated: accept its terms on that page{log_in}"
    if code == "RevisionNotFound":
        return f"{page} has no revision {revision!r}: give a branch, a tag or a commit of it"
    if code == "EntryNotFound":
        return f"{page} has no such file ({message})"
    if status == 401 and "credentials" in message:
        return f"{page}: the Hub does not know the token: {_LOG_IN} anew (HF_TOKEN goes before the log-in)"
    if status == 401 or (code == "RepoNotFound" and not known):
        return f"{page} does not exist or is private: check the name, or {_LOG_IN}"
    if code == "RepoNotFound" or status == 404:
        return f"{page} does not exist, or the token may not see it: check the name, or use another token"
    if status in (402, 413, 507) or any(word in message.lower() for word in ("storage", "quota", "limit reached")):
        return f"{page}: the Hub takes no more ({message or status}): free space there, or choose another account"
    if status == 403:
        return f"{page}: the token may not do this ({message or status}): use one with the right to write there"
    if status == 412:
        return (
            f"{page} was written to meanwhile, by another run or a person: see that no run does, and run again to go on"
        )
    if status == 429:
        return f"{page}: the Hub asks for fewer requests ({message or status}): run again in a few minutes"
    if status >= 500:
        return f"{page}: the Hub has trouble of its own ({message or status}): run again later"
    return f"{page}: the Hub refused ({status} {message})"


def hub_unreachable(where: str, error: BaseException) -> str:
    """One sentence about a Hub that does not answer, or is not to be asked."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return f"{where}: not in the cache, and HF_HUB_OFFLINE is set: unset it"
    reason: BaseException = error
    while reason.__cause__ is not None:
        reason = reason.__cause__
    return f"{where}: the Hub cannot be reached ({' '.join(str(reason).split())}): check the network and HF_ENDPOINT"


class HubFailures(NamedTuple):
    """Errors that the Hub's client raises, beside ValueError for what it checks itself.

    `http` are its own and those of its HTTP library, whichever that is in its version, and `setting` what it makes of
    an address, or a proxy's, that cannot be used.
    """

    http: tuple[type[Exception], ...]
    setting: tuple[type[Exception], ...]


def hub_failures() -> HubFailures:
    """The errors of the client that is installed."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its own error derives from that of the HTTP library, which a connection that breaks off raises.
    http = [cls for cls in HfHubHTTPError.__mro__ if issubclass(cls, Exception) and cls is not Exception]
    libraries = {sys.modules[cls.__module__.partition(".")[0]] for cls in http}
    no_urls = [library.InvalidURL for library in libraries if hasattr(library, "InvalidURL")]
    return HubFailures(tuple(http), (*no_urls, ImportError))  # the second for SOCKS, which takes a package of its own
