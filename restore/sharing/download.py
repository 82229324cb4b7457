"""A shared run, downloaded into the cache of huggingface_hub and checked: few files, of bounded sizes, as they were pushed."""

from __future__ import annotations

import shutil
from pathlib import Path

from degrade.files import discard
from restore.autoencoder import PACKED
from restore.machine.memory import free_memory, readable
from restore.machine.terminal import printable
from restore.sharing.address import Address, address_of
from restore.sharing.hub import HubError, files_of, hub
from restore.storage.checkpoint import LARGEST_PRIOR, SUMS, open_checkpoint
from restore.storage.reading import LARGEST_JSON, CheckpointError

LARGEST_WEIGHTS = 2**33
NEEDED = ("run.json", "ema.safetensors", SUMS)
_SETTINGS = {"run.json": LARGEST_JSON, "ema.safetensors": LARGEST_WEIGHTS}
LARGEST = {
    **_SETTINGS,
    "prior.safetensors": LARGEST_PRIOR,
    **{f"{PACKED}/{name}": size for name, size in {**_SETTINGS, SUMS: LARGEST_JSON}.items()},
    SUMS: LARGEST_JSON,
}
"""What is downloaded, in this order, and how many bytes of it at most: where the sums are, all is."""
UNREAD = (PACKED, "README.md", ".gitattributes", "LICENSE", "LICENSE.md", "samples.png", "restorations.png", "curve.png")
"""What else may lie in the repository of a run. It is not downloaded."""


def local(source: str | Path) -> Path:
    """`source`, a path of this machine; or the folder that the run at hf://user/run lies in, downloaded if it is not there.

    Without a network it is what was downloaded before. Raises HubError in one line.
    """
    address = address_of(source)
    return Path(source) if address is None else downloaded(address)


def downloaded(address: Address) -> Path:
    """The folder of the run at `address`: a checkpoint whose files are what their sums say. Raises HubError in one line for
    a repository that is not that of a run, and nothing else of it is downloaded then."""
    with hub(address) as library:
        commit = library.HfApi().resolve_revision(address.repository, revision=address.revision).resolved
        found = _cached(address, commit)
        if found is None:
            sizes = files_of(library, address, commit)
            check(address, sizes, Path(library.constants.HF_HUB_CACHE))
            names = [name for name in LARGEST if name in sizes]
            paths = [library.hf_hub_download(address.repository, name, revision=commit) for name in names]
            found = Path(paths[0]).parent
    try:
        for folder in (found, found / PACKED):
            if folder == found or folder.is_dir():
                open_checkpoint(folder).verify()
    except CheckpointError:
        for name in LARGEST:  # links to what is stored, which would be taken for it again
            discard((found / name).resolve())
            discard(found / name)
        raise HubError(
            f"{address} is damaged: its files are not what their sums say. They were removed from here; try again, or tell "
            "who shared it."
        ) from None
    return found


def check(address: Address, sizes: dict[str, int], cache: Path) -> None:
    """Raises HubError unless files of these sizes are those of a run, and fit into memory and on the disk of `cache`."""
    surplus = sorted(set(sizes) - {*LARGEST, *UNREAD})
    if surplus:
        raise HubError(f"{address} holds {printable(surplus[0][:80])!r}, no part of a shared run: nothing was downloaded.")
    missing = [name for name in NEEDED if name not in sizes]
    if missing:
        raise HubError(f"{address} holds no {missing[0]}: it is not a run that was pushed.")
    for name, largest in LARGEST.items():
        bound = min(largest, free_memory())
        if sizes.get(name, 0) > bound:
            taken = readable(sizes[name])
            raise HubError(f"{address}: {name} takes {taken}, and {readable(bound)} are the most: nothing was downloaded.")
    needed = sum(sizes.get(name, 0) for name in LARGEST)
    free = shutil.disk_usage(next(path for path in (cache, *cache.absolute().parents) if path.exists())).free
    if needed > free:
        raise HubError(f"{address} takes {readable(needed)}, and {readable(free)} are free on the disk of {cache}: make room.")


def _cached(address: Address, commit: str) -> Path | None:
    """The folder of a commit that was downloaded before, whole."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(address.repository, SUMS, revision=commit)
    if not isinstance(path, str):
        return None
    return Path(path).parent
