"""What an actor may be allowed to do with lines and devices."""

from onecard.kernel.codes import Text

ADMIT = "devices.admit"
REVOKE = "devices.revoke"
SETTINGS = "devices.admission_settings"

PERMISSIONS: dict[str, Text] = {
    ADMIT: Text("签发登记码、更换证书、重新登记", "make enrolment codes, roll certificates, enrol again"),
    REVOKE: Text("吊销线路", "revoke lines"),
    SETTINGS: Text("修改登记地址和租约期限", "change where devices enrol and how long leases run"),
}
