"""Valid messages of both protocols, for the fuzzer to spoil."""

from onecard.kernel.codes import Operation
from onecard.protocol.iso8583.codec import Fields
from onecard.protocol.proto.device_pb2 import (
    ChipLoadRequest,
    DataVersion,
    DeviceEvent,
    DeviceFrame,
    DeviceState,
    Events,
    Fetch,
    Heartbeat,
    Hello,
    HttpHeader,
    HttpRequest,
    LeaseRequest,
    SequenceHole,
    SignOnAsk,
    Submit,
    TotalsAsk,
)
from onecard.protocol.proto.records_pb2 import ChipDetails, ChipLoad, PayCodes, Records

TID, MID, TERMINAL = "00000001", "000000000000001", 1


def iso_messages() -> list[Fields]:
    """Every kind of ISO 8583 message that terminals send."""
    head = {"h": "6000490000603200320501", "11": "000001", "41": TID, "42": MID}
    money = head | {
        "2": "1000010000000017",
        "4": "000000000500",
        "12": "120000",
        "13": "0301",
        "22": "072",
        "25": "00",
        "49": "156",
    }
    detail = "1000010000000017" + "000000000500" + "000007" + "0301120000"
    return [
        money | {"t": "0200", "3": "000000", "60": "2200000100060"},
        money | {"t": "0200", "3": "310000", "60": "0100000100060"},
        money | {"t": "0200", "3": "200000", "60": "2300000100060", "61": "000001000001"},
        money | {"t": "0220", "3": "200000", "60": "2500000100060", "61": "0000010000010301"},
        money | {"t": "0400", "3": "000000", "60": "2200000100060", "39": "98"},
        money | {"t": "0200", "3": "000000", "60": "2200000100060", "55": "9F2608AABB", "62": "text", "63": "01"},
        head | {"t": "0320", "48": "07" + detail * 7, "60": "00000001000"},
        head | {"t": "0320", "60": "00000001207"},
        head | {"t": "0500", "48": "0" * 62, "49": "156", "60": "00000001201"},
        head | {"t": "0800", "60": "00000001003", "62": "Sequence No24949100", "63": "123"},
        head | {"t": "0820", "60": "00000001301"},
    ]


def native_frames() -> list[DeviceFrame]:
    """Every kind of frame that devices send on a line."""

    def records(count: int) -> Records:
        return Records(
            op=[int(Operation.ADVICE)] * count,
            terminal_id=[TERMINAL] * count,
            terminal_seq=list(range(1, count + 1)),
            card_no=[1000010000000017] * count,
            amount_fen=[500] * count,
            occurred_at_us=[1_772_337_600_000_000] * count,
            orig_terminal_id=[0] * count,
            orig_seq=[0] * count,
        )

    chips = records(3)
    chips.op[1:] = [int(Operation.CHIP_PURCHASE)] * 2
    chips.chip.MergeFrom(
        ChipDetails(
            row=[1, 2],
            card_counter=[7, 65_535],
            balance_before_fen=[5000, 2**32 - 1],
            sam_terminal_no=[1, 2**48 - 1],
            sam_seq=[1, 2],
            transaction_type=[6, 9],
            key_version=[1, 255],
            algorithm=[0, 4],
            tac=[0x11223344, 0],
            gray=[False, True],
        )
    )
    chips.pay_codes.MergeFrom(PayCodes(row=[0], code=[b"code"]))
    load = ChipLoad(
        step=ChipLoad.REQUEST, terminal_id=TERMINAL, terminal_seq=9, card_no=1000010000000017, amount_fen=5000,
        occurred_at_us=1_772_337_600_000_000, transaction_type=2, sam_terminal_no=1, old_balance_fen=100, online_counter=3,
        key_version=1, algorithm=0, random=1, mac1=2,
    )  # fmt: skip
    return [
        DeviceFrame(submit=Submit(submit_id=2, records=chips)),
        DeviceFrame(chip_load=ChipLoadRequest(submit_id=3, load=load)),
        DeviceFrame(submit=Submit(submit_id=1, records=records(1))),
        DeviceFrame(submit=Submit(submit_id=2**63, records=records(30))),
        DeviceFrame(heartbeat=Heartbeat(device_clock_us=1, backlog=2, oldest_unsent_us=3)),
        *_device_frames(),
        DeviceFrame(hello=Hello(protocol_version=1, maker="m", model="x", firmware="1")),
    ]


def _device_frames() -> list[DeviceFrame]:
    versions = [DataVersion(name="deny", version=7, sha256=bytes(32)), DataVersion(name="firmware", version=2)]
    state = DeviceState(terminal_id=TERMINAL, online=True, backlog=1, versions=versions, last_error="e", serial="s", maker="m")
    event = DeviceEvent(
        event_id=bytes(16), terminal_id=TERMINAL, kind=40, occurred_at_us=1_772_337_600_000_000, card_no=1, detail="door",
        action_id=5, progress_permille=500,
    )  # fmt: skip
    header = HttpHeader(name="Accept", value="text/html")
    return [
        DeviceFrame(
            heartbeat=Heartbeat(
                device_clock_us=1, versions=versions, last_error="none", disk_free_permille=900, lease_serial=3, devices=[state],
                holes=[SequenceHole(terminal_id=TERMINAL, from_seq=1, through_seq=2, since_us=3)],
            )
        ),
        DeviceFrame(events=Events(submit_id=4, events=[event, event])),
        DeviceFrame(fetch=Fetch(submit_id=5, name="targets/firmware/ab12.pos.bin", offset=262_144, length=524_288)),
        DeviceFrame(lease=LeaseRequest(submit_id=6)),
        DeviceFrame(sign_on=SignOnAsk(submit_id=7, terminal_id=TERMINAL)),
        DeviceFrame(totals=TotalsAsk(submit_id=8, terminal_id=TERMINAL, batch_no=1)),
        DeviceFrame(http=HttpRequest(stream_id=1, method="GET", target="/workstation/", headers=[header], end=True)),
        DeviceFrame(http=HttpRequest(stream_id=1, body=b"more", credit=5, end=True)),
        DeviceFrame(http=HttpRequest(stream_id=1, abort=True)),
        DeviceFrame(hello=Hello(protocol_version=1, maker="m", hardware="h", serial="s", versions=versions)),
    ]  # fmt: skip
