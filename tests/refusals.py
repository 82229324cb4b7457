"""What a program says of bad input."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest


def refusal(call: Callable[..., object], *args: str) -> str:
    """The words in which `call` refuses: the parser's, out of their box, or the one line of an error."""
    written = io.StringIO()
    with contextlib.redirect_stderr(written), pytest.raises((ValueError, SystemExit)) as caught:
        call(*args)
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == 2
        return " ".join(written.getvalue().replace("│", " ").split())
    assert "\n" not in str(caught.value)
    return str(caught.value)
