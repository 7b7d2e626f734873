"""What the constraints on lines and terminals mean to people.

RuleViolated    N3: a terminal over another unit's line
InvalidInput    a terminal number that is taken, a certificate that is another line's
"""

from onecard.services.operators.api import Refusal

REFUSALS = {
    "terminal_line_owner": Refusal(
        "N3", "终端的线路须属于同一单位或运营单位", "the line of a terminal belongs to the same unit or operator"
    ),
    "devices_terminal_tid_key": Refusal(None, "终端号已存在", "the terminal number is taken"),
    "terminal_tid_form": Refusal(None, "终端号须为 8 位数字或大写字母", "a terminal number is 8 digits or capitals"),
    "line_certificate": Refusal(None, "证书已属于另一线路", "the certificate is another line's"),
    "line_one_owner": Refusal(None, "线路须属于一个单位或一个运营单位", "a line belongs to one unit or to one operator"),
}
