"""What the constraints on lines and terminals mean to people.

RuleViolated    N3: a terminal over another unit's line; G2: a line that is revoked
InvalidInput    a terminal number that is taken, a certificate that is another line's
"""

from onecard.kernel.errors import NotFound, RuleViolated
from onecard.services.operators.api import Refusal

REFUSALS = {
    "terminal_line_owner": Refusal(
        "N3", "终端的线路须属于同一单位或运营单位", "the line of a terminal belongs to the same unit or operator"
    ),
    "devices_terminal_tid_key": Refusal(None, "终端号已存在", "the terminal number is taken"),
    "terminal_tid_form": Refusal(None, "终端号须为 8 位数字或大写字母", "a terminal number is 8 digits or capitals"),
    "line_certificate": Refusal(None, "证书已属于另一线路", "the certificate is another line's"),
    "line_revoked_for_good": Refusal("G2", "线路已吊销，不能恢复", "the line is revoked, and stays so"),
    "admission_settings_order": Refusal(
        None,
        "租约各阶段须依次为：续签 < 预警 ≤ 不接受新卡 ≤ 停止消费 ≤ 停止服务 ≤ 8784 小时",
        "the steps of a lease follow one another: renewal < warning <= no new cards <= no sales <= stop <= 8784 hours",
    ),
    "line_one_owner": Refusal(None, "线路须属于一个单位或一个运营单位", "a line belongs to one unit or to one operator"),
}


def no_line(line_id: int) -> NotFound:
    """There is no line of this number."""
    return NotFound(f"无此线路：{line_id}", f"no such line: {line_id}")


def revoked(line_id: int) -> RuleViolated:
    """G2: nothing is done any more with a revoked line."""
    return RuleViolated(f"G2：线路 {line_id} 已吊销", f"G2: line {line_id} is revoked", rule="G2")
