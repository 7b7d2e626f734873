"""What settlement refuses, and why.

OneCardError
├── RuleViolated
│   └── PlanChanged           S3: a repeated run wants other postings than it made: somebody changed the journal or a run's rows
├── NotFound
│   └── UnknownRun            no run of that number
└── Unavailable
    ├── RunBusy               another process is settling it right now
    └── EarlierRunUnbalanced  a run before it did not balance: nothing is built on top of it
"""

from onecard.kernel.errors import NotFound, RuleViolated, Unavailable


class PlanChanged(RuleViolated):
    """A repeated run came to other postings than the ones it has made; nothing was posted."""

    code = "SETTLEMENT.PLAN_CHANGED"

    def __init__(self, run_id: int, line_no: int) -> None:
        super().__init__(
            f"批次 {run_id} 重跑结果与原记账计划不同（第 {line_no} 行起），未记账",
            f"run {run_id} repeated differs from the postings it planned (from line {line_no}): nothing was posted",
            rule="S3",
        )


class UnknownRun(NotFound):
    """There is no settlement run of that number."""

    code = "SETTLEMENT.UNKNOWN_RUN"

    def __init__(self, run_id: int) -> None:
        super().__init__(f"没有编号为 {run_id} 的结算批次", f"there is no settlement run {run_id}")


class RunBusy(Unavailable):
    """Another process holds the settlement lock."""

    code = "SETTLEMENT.BUSY"

    def __init__(self) -> None:
        super().__init__("另一个进程正在结算，请稍后再试", "another process is settling; try again later")


class EarlierRunUnbalanced(Unavailable):
    """A run before this one did not balance; repeat that one first."""

    code = "SETTLEMENT.EARLIER_UNBALANCED"
    retryable = False

    def __init__(self, run_id: int) -> None:
        super().__init__(
            f"批次 {run_id} 未平账，请查明后先重跑该批次", f"run {run_id} does not balance: find out why and repeat it first"
        )


__all__ = ["EarlierRunUnbalanced", "PlanChanged", "RunBusy", "UnknownRun"]
