"""Why a card is not made.

RuleViolated (C2)
├── AlreadyIssued     the card has been issued: names its number and its state
├── ForeignCard       the card is nobody's blank of ours: another platform's, or not from our stock
├── ChipRefused       the chip answered a command with an error: the card goes to the reject pile
└── WrongCard         the chip's content is not the job's: what was read back differs
Unavailable
├── TakenOver         another station has gone on with the job: this one stops
└── SessionLost       a relayed session that this process does not know (any more): begin again, the card is resumed
"""

from onecard.kernel.errors import RuleViolated, Unavailable


class AlreadyIssued(RuleViolated):
    """The card has been issued."""

    def __init__(self, card_no: int, state: str) -> None:
        super().__init__(
            f"此卡已发出：卡号 {card_no}，状态 {state}", f"the card is issued already: number {card_no}, state {state}", rule="C2"
        )
        self.card_no = card_no
        self.state = state


class ForeignCard(RuleViolated):
    """The card is not a blank of our stock."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en, rule="C2")


class ChipRefused(RuleViolated):
    """A command was refused by the chip; `sw` is its status word."""

    def __init__(self, step: str, sw: int) -> None:
        super().__init__(f"卡片拒绝：步骤 {step}，状态字 {sw:04X}", f"the card refused step {step}: status {sw:04X}", rule="C2")
        self.step = step
        self.sw = sw


class WrongCard(RuleViolated):
    """What was read back is not what was to be written."""

    def __init__(self, step: str, zh: str, en: str) -> None:
        super().__init__(f"校验不符：步骤 {step}，{zh}", f"verification failed at {step}: {en}", rule="C2")
        self.step = step


class TakenOver(Unavailable):
    """Another station has gone on with the job."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"作业 {job_id} 已由其他工位接手", f"another station has taken over job {job_id}")


class SessionLost(Unavailable):
    """A relayed session this process does not know."""

    def __init__(self) -> None:
        super().__init__(
            "制卡会话已失效：请重新开始，卡片将续写", "the issuing session is gone: begin again, the card is resumed"
        )
