"""Pages of lists: sizes brought down to what is sensible, tokens that callers cannot read into."""

from __future__ import annotations

import base64
import binascii

from clarion.errors import InvalidParameterError

DEFAULT_SIZE = 100
MAX_SIZE = 1000


def page_size(asked: int) -> int:
    """Return the size of a page: the default for 0, and at most `MAX_SIZE`."""
    if asked < 0:
        raise InvalidParameterError(f"page_size must not be {asked}", field="page_size")
    return min(asked, MAX_SIZE) if asked else DEFAULT_SIZE


def token_of(*place: str) -> str:
    """Return the token of the page behind ``place``."""
    return base64.urlsafe_b64encode("\n".join(place).encode()).decode()


def place_of(token: str, parts: int) -> tuple[str, ...]:
    """Return what `token_of` was given.

    Raises
    ------
    InvalidParameterError
        No list of this kind gave that token.
    """
    try:
        place = tuple(base64.b64decode(token, b"-_", validate=True).decode().split("\n"))
    except (binascii.Error, ValueError):
        place = ()
    if len(place) != parts:
        raise _foreign()
    return place


def number_of(part: str) -> int:
    """Return the whole number, of 63 bits at most, that is a part of a place.

    Raises
    ------
    InvalidParameterError
        No list gave it: it is none.
    """
    if part.isascii() and part.isdecimal() and len(part) <= 19 and int(part) < 2**63:
        return int(part)
    raise _foreign()


def _foreign() -> InvalidParameterError:
    return InvalidParameterError("no list gave this page_token", field="page_token")
