"""The permissions of custody: the ceremony, requests that two people decide, and SAMs."""

from onecard.kernel.codes import Text

READ = "keys.read"
CEREMONY = "keys.ceremony"
COMPONENT = "keys.component"
REQUEST = "keys.request"
APPROVE = "keys.approve"
SAM = "keys.sam"
SAM_BLOCK = "keys.sam_block"

PERMISSIONS: dict[str, Text] = {
    READ: Text("查看密钥状态、仪式、申请与 SAM", "See keys' status, ceremonies, requests and SAMs"),
    CEREMONY: Text("组织密钥仪式", "Run key ceremonies"),
    COMPONENT: Text("保管并录入本人分量", "Hold and enter one's own component"),
    REQUEST: Text("提出密钥双人操作申请", "Request what two people decide on keys"),
    APPROVE: Text("批准他人的密钥操作申请", "Approve another person's request"),
    SAM: Text("SAM 入库、个人化、绑定、报废", "Receive, personalise, bind and scrap SAMs"),
    SAM_BLOCK: Text("停用 SAM", "Block SAMs"),
}

BY_NOBODY = frozenset({"keys.import", "keys.activate", "keys.destroy", "keys.export"})
"""Permissions of the vault that no person carries: they come from a ceremony's quorum or an approved request (`seam.py`)."""
