"""A run in a folder, pushed to the hub in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from restore.machine.terminal import printable
from restore.sharing.address import Address
from restore.sharing.card import card
from restore.sharing.download import LARGEST, UNREAD
from restore.sharing.hub import LOG_IN, HubError, files_of, hub
from restore.sharing.pack import pack

CARD = "README.md"
OURS = {*LARGEST, "samples.png", "restorations.png", "curve.png"}
"""What a push replaces, or removes where the run no longer has it."""


class Pushed(NamedTuple):
    url: str
    step: int
    private: bool
    files: tuple[str, ...]
    card_kept: bool
    """Whether there was a card already, which was left alone."""


def push(run: Path, address: Address, types: Sequence[type] = (), public: bool = False, images: bool = False) -> Pushed:
    """Pushes the latest checkpoint of the run, its pictures and a card, in one commit. A new repository is private unless
    `public`; one that is there stays what it is, and so does its card. One that is public takes `public`, too.

    images: also what shows training images, which is refused otherwise (`pack`). Raises HubError in one line where the hub, or
    what lies there, does not allow for it: before anything is changed.
    """
    with TemporaryDirectory() as folder:
        home = Path(folder)
        packed = pack(run, home, types, images)
        (home / CARD).write_text(card(packed, address, run), encoding="utf-8")
        return _pushed(home, packed.checkpoint.step, address, public)


def _pushed(home: Path, step: int, address: Address, public: bool) -> Pushed:
    """Pushes the files of `home`."""
    with hub(address) as library:
        if library.get_token() is None:
            raise HubError(f"pushing takes a token of yours that may write: {LOG_IN}.")
        api = library.HfApi()
        there: dict[str, int] = {}
        if api.repo_exists(address.repository):
            if not (public or api.repo_info(address.repository).private):
                raise HubError(f"{address} is public: --public says that anybody may see the run, or push to another name.")
            there = files_of(library, address)
            foreign = sorted(set(there) - OURS - {*UNREAD})
            if foreign:
                raise HubError(f"{address} holds {printable(foreign[0][:80])!r}, which is of no run: push to another name.")
        else:
            api.create_repo(address.repository, private=not public)
        found = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
        files = sorted(name for name in found if name != CARD or CARD not in there)
        operations = [library.CommitOperationAdd(name, str(home / name)) for name in files]
        operations += [library.CommitOperationDelete(name) for name in sorted(OURS & set(there) - set(files))]
        api.create_commit(address.repository, operations, commit_message=f"step {step}")
        private = bool(api.repo_info(address.repository).private)
    return Pushed(f"{library.constants.ENDPOINT}/{address.repository}", step, private, tuple(files), CARD in there)
