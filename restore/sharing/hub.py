"""The hub, through huggingface_hub (extra `hub`): what it holds of a run, and what it answers, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType

from restore.sharing.address import Address
from restore.storage.reading import CheckpointError

MOST_FILES = 32
"""Of a repository that are looked at: a run has about ten."""
LOG_IN = "log in (hf auth login), or set HF_TOKEN"


class HubError(CheckpointError):
    """A run that the hub does not give, or does not take; the message says why and what to do."""


@contextmanager
def hub(address: Address) -> Iterator[ModuleType]:
    """huggingface_hub, whose errors on the way to `address` become a HubError of one line."""
    try:
        import huggingface_hub
        from httpx2 import HTTPError
        from huggingface_hub import errors
    except ImportError:
        install = 'python -m pip install -c constraints.txt -e ".[hub]"'
        raise HubError(
            f"{address} is reached through huggingface_hub 2.4 or later, which is not installed: {install}"
        ) from None
    try:
        yield huggingface_hub
    except errors.RevisionNotFoundError:
        raise HubError(f"{address}: the run is there, but not this revision of it: leave out @{address.revision}.") from None
    except errors.RepositoryNotFoundError:
        raise HubError(f"{address} is not there, or is private: check its name, or {LOG_IN}.") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise HubError(f"the hub refuses {address} ({status}): {LOG_IN}, with a token that may do this.") from None
        raise HubError(f"the hub answers {status} for {address}: try again later. ({_line(error)})") from None
    except (errors.RevisionResolutionError, errors.EntryNotFoundError, HTTPError, ConnectionError) as error:
        reason = _line(error.__cause__ or error)
        raise HubError(
            f"the hub cannot be reached for {address} ({reason}): what was downloaded before opens without it."
        ) from None
    except (OSError, errors.XetDownloadError) as error:  # a full disk, a transfer that was cut off
        raise HubError(f"{address}: {_line(error)}") from None


def files_of(hub: ModuleType, address: Address, commit: str | None = None) -> dict[str, int]:
    """The sizes of the files of a repository by their paths, folders being named too: of MOST_FILES and one more at most."""
    entries = hub.HfApi().list_repo_tree(address.repository, recursive=True, revision=commit)
    return {entry.path: getattr(entry, "size", 0) for entry in islice(entries, MOST_FILES + 1)}


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
