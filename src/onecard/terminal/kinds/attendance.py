"""The attendance reader (考勤): in or out by key, then cards one after another; the same card again soon after counts once."""

from typing import ClassVar

from onecard.kernel.codes import Text
from onecard.kernel.events import EventKind
from onecard.protocol.offline import local_time
from onecard.terminal.kinds.device import Device, Fitting
from onecard.terminal.kinds.identity import refusal_of_card
from onecard.terminal.kinds.parts import Key

_RECENT = "recent"
_WORDS = {Key.IN: Text("上班", "in"), Key.OUT: Text("下班", "out")}


class Attendance(Device):
    """See the module."""

    MODEL: ClassVar[str] = "attendance"
    USES: ClassVar[tuple[str, ...]] = ("deny", "cards", "rules", "parameters")

    def __init__(self, fitting: Fitting) -> None:
        self.direction = Key.IN
        self._recent: dict[str, int] = (fitting.journal.kept(_RECENT) or {}).get("cards", {})
        super().__init__(fitting)

    def idle(self) -> None:
        """Ready for the next card."""
        word = _WORDS[self.direction]
        self.display.show(Text(f"{word.zh}请刷卡", f"Card please ({word.en})"))

    async def on_press(self, key: str) -> None:
        """The direction."""
        if key not in _WORDS:
            await super().on_press(key)
            return
        self.direction = Key(key)
        self.idle()

    async def on_tap(self, card_no: int) -> None:
        """Count the holder once."""
        now, data = self.now_us(), self.data
        refusal = refusal_of_card(card_no, denied=data.denied, cards=data.cards, at_us=now)
        if refusal is not None:
            self.note(EventKind.ACCESS_DENIED, card_no=card_no, detail=f"{refusal.zh} {refusal.en}")
            self.refuse(Text("考勤无效", "Not counted"), refusal)
            return
        word, mark = _WORDS[self.direction], f"{card_no} {self.direction}"
        oldest = now - data.parameters.repeat_s * 1_000_000
        if oldest < self._recent.get(mark, oldest) <= now:
            self.display.show(Text("已打卡", "Counted already"))
            return
        self._recent = {card: at for card, at in self._recent.items() if at > oldest} | {mark: now}
        self.note(EventKind.ATTENDANCE, card_no=card_no, detail=self.direction)
        self.journal.keep(_RECENT, {"cards": self._recent})
        self.display.show(Text(f"{word.zh}打卡成功", f"Counted: {word.en}"), Text(f"{local_time(now):%H:%M}", ""))
