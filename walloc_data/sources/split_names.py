"""What splits are called."""

import re

__all__ = ["SPLITS", "split_named"]

SPLITS = ("train", "val", "valid", "validation", "dev", "eval", "test", "holdout")  # in the order of a dataset's
_SAME = {"training": "train", "testing": "test", "evaluation": "eval"}
_WORD = re.compile(
    rf"(?:[a-z]+[_ -])?({'|'.join((*SPLITS, *_SAME))})[_ -]?(?:set|data|images|split|(?:19|20)\d\d)?", re.IGNORECASE
)


def split_named(name: str) -> str | None:
    """The split that a folder's name says, in any case of letters and with what people add to it, or None.

    >>> [split_named(name) for name in ("Train", "training_set", "seg_test", "val2017", "Testing", "trainer", "cat")]
    ['train', 'train', 'test', 'val', 'test', None, None]
    """
    found = _WORD.fullmatch(name)
    if found is None:
        return None
    word = found[1].lower()
    return _SAME.get(word, word)
