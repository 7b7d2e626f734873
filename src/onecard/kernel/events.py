"""What devices report that is not money (`EventKind`), in one place for every tier. Numbers are stored: never renumber one."""

from enum import IntEnum, unique

from onecard.kernel.codes import Text


@unique
class EventKind(IntEnum):
    """The kind of a DeviceEvent."""

    OFFLINE_BEGAN = 1
    """The front-end decides by itself from here on."""
    OFFLINE_ENDED = 2
    LEASE_STEP = 3
    """The lease has come to another step; the detail names it."""
    CLOCK_OFF = 4
    """A clock differs more than is allowed, or was set back."""
    DISK_LOW = 5
    SEQUENCE_HOLE = 6
    DATA_TAKEN = 7
    """A list, tariff or parameter file is in use."""
    DATA_REFUSED = 8
    """One that can't be read, is older than the one in use, or refuses too many taps: the last good one stays."""
    RECORD_REFUSED = 9
    """The platform did not post a record that was made off line."""
    DEVICE_LOST = 10
    DEVICE_BACK = 11
    LINE_REFUSED = 12
    """A device behind a front-end that the front-end does not know."""
    POWER_LOST = 13
    UPDATE_DOWNLOADING = 20
    UPDATE_WAITING = 21
    """Downloaded; waits for its window, for unsent money to go up, or for selling to pause."""
    UPDATE_INSTALLING = 22
    UPDATE_DONE = 23
    UPDATE_FAILED = 24
    """The detail says why; the device is at its old version."""
    UPDATE_REFUSED = 25
    """Not for this device, older than what it has, or not signed."""
    ACCESS_GRANTED = 40
    ACCESS_DENIED = 41
    ATTENDANCE = 42
    METER_READING = 43
    TAMPER = 44
    ERROR = 50
    """Anything else that a person should see; the detail says what."""


EVENT_TEXT: dict[EventKind, Text] = {
    EventKind.OFFLINE_BEGAN: Text("转为脱机", "Off line"),
    EventKind.OFFLINE_ENDED: Text("恢复联机", "On line again"),
    EventKind.LEASE_STEP: Text("租约阶段变化", "Lease step"),
    EventKind.CLOCK_OFF: Text("时钟偏差", "Clock off"),
    EventKind.DISK_LOW: Text("磁盘空间不足", "Disk low"),
    EventKind.SEQUENCE_HOLE: Text("流水号缺口", "Sequence hole"),
    EventKind.DATA_TAKEN: Text("数据已启用", "Data taken into use"),
    EventKind.DATA_REFUSED: Text("数据被拒用", "Data refused"),
    EventKind.RECORD_REFUSED: Text("脱机记录未入账", "Offline record not posted"),
    EventKind.DEVICE_LOST: Text("设备离线", "Device lost"),
    EventKind.DEVICE_BACK: Text("设备恢复", "Device back"),
    EventKind.LINE_REFUSED: Text("拒绝接入", "Device refused"),
    EventKind.POWER_LOST: Text("断电", "Power lost"),
    EventKind.UPDATE_DOWNLOADING: Text("升级下载中", "Update downloading"),
    EventKind.UPDATE_WAITING: Text("升级等待中", "Update waiting"),
    EventKind.UPDATE_INSTALLING: Text("升级安装中", "Update installing"),
    EventKind.UPDATE_DONE: Text("升级完成", "Update done"),
    EventKind.UPDATE_FAILED: Text("升级失败", "Update failed"),
    EventKind.UPDATE_REFUSED: Text("升级被拒", "Update refused"),
    EventKind.ACCESS_GRANTED: Text("门禁放行", "Access granted"),
    EventKind.ACCESS_DENIED: Text("门禁拒绝", "Access denied"),
    EventKind.ATTENDANCE: Text("考勤", "Attendance"),
    EventKind.METER_READING: Text("表计读数", "Meter reading"),
    EventKind.TAMPER: Text("防拆报警", "Tamper"),
    EventKind.ERROR: Text("故障", "Error"),
}
