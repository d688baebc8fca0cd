"""Names drawn into pictures, in whatever script, by a font of this machine that has it."""

import os
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import ImageDraw, ImageFont

__all__ = ["FONT_FOLDERS", "draw_caption"]

FONT_FOLDERS = [
    *("~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts"),
    *("~/Library/Fonts", "/Library/Fonts", "/System/Library/Fonts", "$WINDIR/Fonts"),
]
_SIZE = 10  # pixels
_NOWHERE = "\U0010ffff"  # is no character, so a font draws for it what it draws for those that it lacks


def draw_caption(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str) -> None:
    """Draw `text` in black with its upper left corner at `place`, about 10 pixels high.

    The first font is taken that has all of its characters, Pillow's own or one of this machine; where none has, letters
    lose their accents, and what is then unknown becomes a question mark.
    """
    text = unicodedata.normalize("NFC", text)
    own = ImageFont.load_default(_SIZE)
    letters = "".join(sorted(set(text) - set(" ")))
    font = own if _draws_all(own, letters) else _font_with(letters)
    if font is None:
        plain = unicodedata.normalize("NFKD", text)
        text = (
            "".join(letter for letter in plain if not unicodedata.combining(letter)).encode("ascii", "replace").decode()
        )
    draw.text(place, text, fill="black", font=font or own)


@lru_cache(maxsize=256)
def _font_with(letters: str) -> Any:
    for path in _font_files():
        try:
            font = ImageFont.truetype(path, _SIZE)
            if _draws_all(font, letters):
                return font
        except OSError:  # no font, or one of another size only
            continue
    return None


def _font_files() -> Iterator[str]:
    """Files of fonts, plain ones without serifs first."""
    folders = [Path(os.path.expandvars(folder)).expanduser() for folder in FONT_FOLDERS]
    found = [path for folder in folders for end in ("ttf", "ttc", "otf") for path in folder.rglob(f"*.{end}")]
    found = [path for path in found if "LastResort" not in path.name]  # which draws a box for every letter
    return map(str, sorted(found, key=lambda path: ("Sans" not in path.name, len(path.name), str(path))))


def _draws_all(font: Any, letters: str) -> bool:
    unknown = font.getmask(_NOWHERE)
    shapes = map(font.getmask, letters)
    return all((shape.size, bytes(shape)) != (unknown.size, bytes(unknown)) for shape in shapes)
