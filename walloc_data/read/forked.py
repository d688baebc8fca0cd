"""What a forked child makes anew: a lock of its parent may be held by a thread that the child does not have."""

import os
import weakref
from typing import Protocol

__all__ = ["Renewed", "renew_in_children"]


class Renewed(Protocol):
    """An object that children inherit."""

    def renew(self) -> None:
        """Take nothing for granted that a thread may have been at: called in each child, before anything else."""


_INHERITED: "dict[int, weakref.ref[Renewed]]" = {}


def renew_in_children(inherited: Renewed) -> None:
    """Have `renew` called in every child forked from now on, as long as there is the object."""
    number = id(inherited)
    _INHERITED[number] = weakref.ref(inherited, lambda _: _INHERITED.pop(number, None))


def _renew() -> None:
    for reference in list(_INHERITED.values()):
        inherited = reference()
        if inherited is not None:
            inherited.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
