"""What the constraints of custody mean to people, and who counts as a person.

RuleViolated    K2 (two people, a component once), K3 (a SAM's states and bindings)
Forbidden       a process that acts under its own name where a person has to
"""

from onecard.kernel.errors import Forbidden
from onecard.services.actors import Actor
from onecard.services.operators.api import Refusal

REFUSALS: dict[str, Refusal] = {
    "ceremony_one_open_per_use": Refusal("K2", "该用途已有进行中的仪式", "a ceremony for this use is open already"),
    "ceremony_final": Refusal("K2", "仪式已结束，不能再改", "the ceremony has ended and does not change any more"),
    "ceremony_wiped": Refusal("K2", "仪式结束时分量须全部清除", "a ceremony ends with all components wiped"),
    "component_one_per_custodian": Refusal("K2", "每位保管人只能有一个分量", "a custodian has one component"),
    "component_final": Refusal("K2", "分量已清除，不能再改", "the component is wiped and does not change any more"),
    "ceremony_log_final": Refusal("K2", "仪式记录不可修改", "the log of a ceremony does not change"),
    "transcript_final": Refusal("K2", "仪式记录书不可修改", "a transcript does not change"),
    "key_request_two_people": Refusal("K2", "申请人不能批准自己的申请", "who asks does not decide"),
    "key_request_in_time": Refusal("K2", "申请已超过 24 小时，须重新提出", "the request is older than 24 hours: ask again"),
    "key_request_final": Refusal("K2", "该申请已有结果", "the request is decided already"),
    "key_request_one_waiting": Refusal("K2", "同一申请已在等待批准", "the same request is waiting already"),
    "sam_order_of_states": Refusal("K3", "SAM 的当前状态不允许该操作", "the SAM's state does not allow this"),
    "sam_unblocked_by_two": Refusal("K3", "恢复已停用的 SAM 须双人批准", "to lift a SAM's block takes two people"),
    "sam_bound": Refusal("K3", "只有已绑定或停用的 SAM 可以有终端", "only a bound or blocked SAM has a terminal"),
    "sam_personalised": Refusal("K3", "SAM 尚未个人化", "the SAM is not personalised"),
    "keys_sam_terminal_id_key": Refusal("K3", "该终端已绑定另一个 SAM", "the terminal has another SAM"),
    "keys_sam_serial_key": Refusal("K3", "该芯片序列号已入库", "a SAM of this serial number is in the stock already"),
    "sam_log_final": Refusal("K3", "SAM 记录不可修改", "the log of a SAM does not change"),
}


def require_person(actor: Actor, permission: str) -> None:
    """Refuse whoever lacks the permission, and processes: a name that carries everything is nobody's own.

    Raises Forbidden.
    """
    actor.require(permission)
    if not actor.name or "*" in actor.permissions:
        raise Forbidden("双人操作与分量须由本人登录", "components and dual control are for people who have signed in")
