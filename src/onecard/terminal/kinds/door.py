"""The access controller: a card, the unit's rules, the lock; and the door contact that tells what the door really does.

    SHUT → good card or exit button → RELEASED → door opens → OPEN → door shuts → SHUT
The contact opening while SHUT is a forced door; OPEN for too long is reported once.
"""

from enum import StrEnum, unique
from typing import ClassVar

from onecard.kernel.codes import Text
from onecard.kernel.events import EventKind
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.identity import refusal_at_door
from onecard.terminal.kinds.parts import Key


@unique
class Mode(StrEnum):
    """The lock and the door."""

    SHUT = "shut"
    RELEASED = "released"
    OPEN = "open"


class Door(Device):
    """See the module. The door's number in the rules is the terminal's id."""

    MODEL: ClassVar[str] = "door"
    USES: ClassVar[tuple[str, ...]] = ("deny", "cards", "rules", "parameters")

    def __init__(self, fitting: Fitting) -> None:
        self.mode = Mode.SHUT
        self._until_us = 0
        self._told = False
        super().__init__(fitting)

    def idle(self) -> None:
        """The lock holds."""
        self.mode = Mode.SHUT
        self.display.show(Text("请刷卡", "Card please"))

    async def on_tap(self, card_no: int) -> None:
        """Decide, note, and open or not."""
        data = self.data
        refusal = refusal_at_door(
            card_no, self.terminal_id, denied=data.denied, cards=data.cards, rules=data.rules, at_us=self.now_us()
        )
        if refusal is not None:
            self.note(EventKind.ACCESS_DENIED, card_no=card_no, detail=f"{refusal.zh} {refusal.en}")
            self.refuse(Text("禁止通行", "No access"), refusal)
            return
        self.note(EventKind.ACCESS_GRANTED, card_no=card_no)
        self._release()

    async def on_press(self, key: str) -> None:
        """The exit button inside."""
        if key != Key.OUT:
            await super().on_press(key)
            return
        self.note(EventKind.ACCESS_GRANTED, detail="出门按钮 exit button")
        self._release()

    async def on_contact(self, *, is_open: bool) -> None:
        """The door moved."""
        if not is_open:
            self.idle()
            return
        if self.mode is Mode.SHUT:
            self.note(EventKind.TAMPER, detail="门被强行打开 door forced")
            self.display.show(Text("门被强行打开", "Door forced"))
        self.mode, self._told = Mode.OPEN, False
        self._until_us = self.after(self.data.parameters.door_held_s)

    async def tick(self) -> None:
        """The lock falls again; an open door is reported."""
        if self.now_us() < self._until_us:
            return
        if self.mode is Mode.RELEASED:
            self.idle()
        elif self.mode is Mode.OPEN and not self._told:
            self._told = True
            self.note(EventKind.ERROR, detail="门未关 door held open")
            self.display.show(Text("请关门", "Please shut the door"))

    def _release(self) -> None:
        if self.mode is not Mode.OPEN:
            self.mode, self._until_us = Mode.RELEASED, self.after(self.data.parameters.door_open_s)
        self.display.show(Text("请通行", "Please pass"))
