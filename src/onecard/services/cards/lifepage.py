"""The life table as `docs/cards.md` shows it: Markdown printed from `life.TABLE` between two marks; a test compares."""

from onecard.ledger.codes import CardStatus
from onecard.services.cards.choices import Operation, State
from onecard.services.cards.life import MONEY_TEXT, NEED_TEXT, TABLE, Cell, Step

BEGIN, END = "<!-- life table: begin (onecard cards life table --write) -->", "<!-- life table: end -->"
_LISTED = {CardStatus.LOST: "挂失 lost", CardStatus.FROZEN: "冻结 frozen"}
_FEES = {
    "issue_fee_fen": "发卡费 issue fee",
    "replace_fee_fen": "补卡费 replacement fee",
    "exchange_fee_fen": "换卡费 exchange fee",
    "return_fee_fen": "退卡费 return fee",
}


def render() -> str:
    """Both tables: state × operation, then each operation with its money, needs, permission and undo."""
    return "\n".join([*_matrix(), "", *_steps()])


def put(page: str) -> str:
    """A page with the tables of today between its marks. Raises ValueError where a mark is missing."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} … {END}")
    return f"{head}{BEGIN}\n\n{render()}\n\n{END}{tail}"


def _matrix() -> list[str]:
    shown = [step for step in TABLE.values() if step.operation is not Operation.ISSUE]
    states = list(State)
    lines = [
        "| 操作 \\ 状态 | " + " | ".join(f"{state.label} {state.value}" for state in states) + " |",
        "|---" * (len(states) + 1) + "|",
    ]
    for step in shown:
        row = [_target(state, step.cells.get(state)) for state in states]
        lines.append(f"| {step.operation.label} `{step.operation.value}` | " + " | ".join(row) + " |")
    return lines


def _target(state: State, cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.resumes:
        return "↩"
    return f"→ {(cell.to or state).value}" if cell.to else "✓"


def _steps() -> list[str]:
    lines = ["| 操作 | 从 From | 须 Needs | 金额 Money | 黑名单 Deny list | 权限 Permission | 撤销 Undo |", "|---" * 7 + "|"]
    for step in TABLE.values():
        for cell, states in _grouped(step):
            row = (step.operation.label, states, _needs(cell), _money(step, cell), _listed(cell), _guard(step), _undo(step))
            lines.append(f"| {' | '.join(map(str, row))} |")
    return lines


def _grouped(step: Step) -> list[tuple[Cell, str]]:
    """The different cells of an operation, each with the states it stands for."""
    found: dict[Cell, list[str]] = {}
    for state, cell in step.cells.items():
        found.setdefault(cell, []).append(state.value if state else "—")
    return [(cell, ", ".join(states)) for cell, states in found.items()]


def _needs(cell: Cell) -> str:
    return "；".join(f"{NEED_TEXT[need].zh} {NEED_TEXT[need].en}" for need in cell.needs) or "—"


def _money(step: Step, cell: Cell) -> str:
    words = []
    for money in cell.money:
        text = MONEY_TEXT[money]
        words.append(_FEES[step.fee] if money == "fee" and step.fee else f"{text.zh} {text.en}")
    return "；".join(words) or "—"


def _listed(cell: Cell) -> str:
    if cell.resumes:
        return "随恢复的状态 as of the state resumed"
    return "不变 as it was" if cell.status is None else _LISTED.get(cell.status, "不在 off")


def _guard(step: Step) -> str:
    return f"`{step.permission}`" + ("（系统 by the tick）" if step.by_system else "")


def _undo(step: Step) -> str:
    return f"无：{step.no_undo.zh} none: {step.no_undo.en}" if step.no_undo else "窗口内原样撤回 exactly, inside the window"
