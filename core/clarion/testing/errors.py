"""How a check fails: one error, whose message names the check, the plugin and the numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from clarion.errors import ClarionError


class ContractError(AssertionError):
    """A plugin broke its contract; the message starts with the check's and the plugin's name."""


class Case(Protocol):
    """What a check is given: one plugin in one configuration."""

    @property
    def title(self) -> str:
        """The plugin's name, for messages."""
        ...

    @property
    def plugin(self) -> Any:
        """The plugin, built."""
        ...


C = TypeVar("C", bound=Case)
C_contra = TypeVar("C_contra", bound=Case, contravariant=True)


class Check(Protocol[C_contra]):
    """One law as a function: returns if the plugin keeps it, else raises ContractError."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, case: C_contra, /) -> None:
        """Raise ContractError if the case's plugin breaks the law."""


def law(check: Callable[[C], None]) -> Callable[[C], None]:
    """Make ``check`` name itself and the plugin in its message, whatever the plugin raises."""

    @functools.wraps(check)
    def checked(case: C) -> None:
        place = f"{check.__name__}: {case.title}: "
        try:
            check(case)
        except ContractError as error:
            raise ContractError(f"{place}{error}") from error
        except (Exception, SystemExit) as error:
            raise ContractError(f"{place}raised {type(error).__name__}: {error}") from error

    return checked


def require(kept: object, broken: str) -> None:
    """Raise ContractError with the message ``broken`` unless ``kept``."""
    if not kept:
        raise ContractError(broken)


def refusal(
    doing: str, action: Callable[[], object], *expected: type[ClarionError], naming: str = ""
) -> None:
    """Require that ``action`` raises one of the ``expected`` errors, its message holding ``naming``.

    An action that raises anything else, or nothing, breaks the contract.
    """
    wanted = " or ".join(error.__name__ for error in expected)
    try:
        action()
    except expected as error:
        require(naming in str(error), f"{doing}: the error must name '{naming}', it says: {error}")
    except (Exception, SystemExit) as error:
        raise ContractError(
            f"{doing} must raise {wanted}, it raised {type(error).__name__}: {error}"
        ) from error
    else:
        raise ContractError(f"{doing} must raise {wanted}, it was accepted")


def works_or_refuses(action: Callable[[], object]) -> object | None:
    """Return what ``action`` returns, or None where it raises one of Clarion's own errors."""
    try:
        return action()
    except ClarionError:
        return None
