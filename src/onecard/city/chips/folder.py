"""Where the simulated chips lie: below `devices` of the home, each card and each SAM a file that is its memory."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onecard.city.devices import device_folder
from onecard.datacenter.home import Home, own_folder
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.api import KeyAlgorithm, demo_maker_key
from onecard.terminal.card.store import FileStore
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.sam.virtual import VirtualSam

_BLANK, _ISSUED = "blank-", ".card"


@dataclass(frozen=True, slots=True)
class ChipFolder:
    """The chips of one home. Their files are not forced to disk: a demonstration's power does not fail."""

    home: Home

    @property
    def cards(self) -> Path:
        """Cards, blank and issued."""
        return self._made("cards")

    @property
    def sams(self) -> Path:
        """SAMs by number."""
        return self._made("sams")

    def blanks(self) -> list[Path]:
        """Cards that are not issued: what a station that was cut off has left."""
        return sorted(self.cards.glob(f"{_BLANK}*{_ISSUED}"))

    def issued(self) -> Iterator[tuple[int, Path]]:
        """Card numbers and files of the cards that are their holders' now."""
        for path in sorted(self.cards.glob(f"*{_ISSUED}")):
            if not path.name.startswith(_BLANK):
                yield int(path.stem), path

    def new_blank(self) -> Path:
        """A blank as the maker of the demonstration delivers it."""
        number = 1 + max((int(path.stem.removeprefix(_BLANK)) for path in self.blanks()), default=0)
        path = self.cards / f"{_BLANK}{number:04}{_ISSUED}"
        key = self._maker_key()
        VirtualCard.create(FileStore(path, durable=False), transport_key=key, algorithm=Algorithm.DES3)
        return path

    def hand_over(self, blank: Path, card_no: int) -> Path:
        """An issued card goes to its holder."""
        return blank.rename(self.cards / f"{card_no:016d}{_ISSUED}")

    def reject(self, blank: Path) -> Path:
        """A card that went to the reject pile is not laid on the reader again."""
        return blank.rename(blank.with_name(f"rejected-{secrets.token_hex(4)}"))

    def sam_path(self, sam_no: int) -> Path:
        """The file of a SAM."""
        return self.sams / f"{sam_no:012X}.sam"

    def sam(self, sam_no: int) -> VirtualSam:
        """A SAM; blank where it is asked for the first time."""
        path = self.sam_path(sam_no)
        if path.exists():
            return VirtualSam.open(path, durable=False)
        return VirtualSam.create(FileStore(path, durable=False), transport_key=self._maker_key())

    def _maker_key(self) -> bytes:
        """In the clear, for the chips: their memory is the maker's secret to keep."""
        return bytes(demo_maker_key(self.home, KeyAlgorithm.DES3))

    def _made(self, name: str) -> Path:
        folder = device_folder(self.home) / name
        own_folder(folder, 0o700)
        return folder
