"""Keys, PINs and secure messaging of the virtual chip: loading keys, proving who one is, the line protection MAC, blocking.

A key is loaded under the control key (type 39, number 00) of its directory or of the master directory; a control key itself
under that of the master directory only. Error counters are kept through a loss of power: a failed try is committed.
"""

import hmac

from onecard.protocol.purse.apdu import Command, Status
from onecard.protocol.purse.ciphers import MAC_BYTES, Algorithm
from onecard.protocol.purse.proofs import tac
from onecard.protocol.purse.secure import command_mac, decipher_body, external_authentication
from onecard.terminal.card.state import BLOCKED, BLOCKED_FOR_GOOD, NO_BLOCK, Key
from onecard.terminal.card.system import ChipSystem, Handlers, Refused, RefusedAndKept

LINE, PIN_UNBLOCK, PIN_RELOAD, CONTROL, PIN = 0x36, 0x37, 0x38, 0x39, 0x3A
_WITH_COUNTER = (LINE, PIN_UNBLOCK, PIN_RELOAD, CONTROL, PIN)
_CIPHERED_KEYS = 0xC0
_HEAD = 5
CHALLENGES = (4, 8, 16)


def get_challenge(chip: ChipSystem, command: Command) -> bytes:
    """00 84: 4, 8 or 16 random bytes, good for the next command only."""
    if command.le not in CHALLENGES:
        raise Refused(Status.WRONG_LENGTH)
    chip.session.challenge = chip.random(command.le)
    return chip.session.challenge


def _algorithm(chip: ChipSystem) -> Algorithm:
    return Algorithm(chip.state.algorithm)


def _challenge(chip: ChipSystem) -> bytes:
    if not chip.session.fresh_challenge:
        raise Refused(Status.NO_CHALLENGE)
    return chip.session.fresh_challenge


def fail(key: Key, sw: int | None = None) -> RefusedAndKept:
    """A failed try with a key: the refusal, 63Cx unless another word is given, 6983 once the key is locked."""
    left = key.count_failure()
    if not left:
        return RefusedAndKept(Status.KEY_LOCKED)
    return RefusedAndKept(0x63C0 | left if sw is None else sw)


def usable(chip: ChipSystem, kind: int, number: int) -> Key:
    """A key of the selected directory that may be used. Raises Refused."""
    key = chip.directory.key(kind, number)
    if key is None:
        raise Refused(Status.REFERENCE_NOT_FOUND)
    chip.require(key.usage)
    if kind in _WITH_COUNTER and not key.tries_left:
        raise Refused(Status.KEY_LOCKED)
    return key


def open_mac(chip: ChipSystem, command: Command, key: Key) -> bytes:
    """The body of a secured command without its MAC, which must be right. Raises Refused."""
    challenge = _challenge(chip)
    body, mac = command.data[:-MAC_BYTES], command.data[-MAC_BYTES:]
    if len(mac) != MAC_BYTES:
        raise Refused(Status.NO_MAC)
    expected = command_mac(_algorithm(chip), key.secret, command.header, body, challenge=challenge)
    if not hmac.compare_digest(mac, expected):
        raise fail(key, Status.MAC_WRONG_IN_MESSAGING)
    key.reset_failures()
    return body


def decipher(chip: ChipSystem, key: Key, body: bytes) -> bytes:
    """A ciphered body. Raises Refused."""
    try:
        return decipher_body(_algorithm(chip), key.secret, body)
    except ValueError:
        raise Refused(Status.MAC_WRONG_IN_MESSAGING) from None


def open_secured(chip: ChipSystem, command: Command, protection: int) -> bytes:
    """The plain data of a write to a file with this line protection. Raises Refused."""
    if not command.is_secured:
        if protection:
            raise Refused(Status.NO_MAC)
        return command.data
    key = usable(chip, LINE, 0)
    body = open_mac(chip, command, key)
    return decipher(chip, key, body) if protection == _CIPHERED_KEYS else body


# ---- loading keys


def write_key(chip: ChipSystem, command: Command) -> bytes:
    """80/84 D4: P1 01 adds a key, 02 replaces one; P2 is its number. Only a PIN may come in the clear where keys are ciphered."""
    if chip.directory.key_file is None:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    if command.p1 not in (0x01, 0x02):
        raise Refused(Status.WRONG_P1P2)
    if command.p1 == 0x01:
        chip.require(chip.directory.add_key)
    data = _open_key(chip, command) if command.is_secured else command.data
    if not _HEAD < len(data) <= _HEAD + 16:
        raise Refused(Status.WRONG_LENGTH)
    key = Key(data[0], command.p2, data[1], data[2], data[3], data[4], data[_HEAD:].hex())
    if not command.is_secured and key.kind != PIN and chip.directory.key_file & _CIPHERED_KEYS:
        raise Refused(Status.NO_MAC)
    if key.kind != PIN and len(key.secret) not in (8, 16):
        raise Refused(Status.WRONG_DATA)
    old = chip.directory.key(key.kind, key.number)
    if command.p1 == 0x01 and old is not None:
        raise Refused(Status.ALREADY_EXISTS)
    if command.p1 == 0x02:
        if old is None:
            raise Refused(Status.REFERENCE_NOT_FOUND)
        chip.require(old.change)
        chip.directory.keys.remove(old)
    chip.directory.keys.append(key)
    return b""


def _open_key(chip: ChipSystem, command: Command) -> bytes:
    """The MAC tells which control key opens the command: the directory's own or the master's."""
    own, master = (directory.key(CONTROL, 0) for directory in (chip.directory, chip.state.master))
    challenge = _challenge(chip)
    body, mac = command.data[:-MAC_BYTES], command.data[-MAC_BYTES:]
    for key in (own, master):
        if key is None or not key.tries_left:
            continue
        if hmac.compare_digest(mac, command_mac(_algorithm(chip), key.secret, command.header, body, challenge=challenge)):
            data = decipher(chip, key, body)
            is_control = data[:1] == bytes((CONTROL,)) and command.p2 == 0
            if key is master or not is_control:
                key.reset_failures()
                return data
    if master is None:
        raise Refused(Status.SECURITY_NOT_SATISFIED)
    raise fail(own or master, Status.MAC_WRONG_IN_MESSAGING)


# ---- who one is


def external_authenticate(chip: ChipSystem, command: Command) -> bytes:
    """00 82: shows knowledge of a control key; the directory's security state becomes what the key says."""
    key = usable(chip, CONTROL, command.p2)
    expected = external_authentication(_algorithm(chip), key.secret, _challenge(chip))
    if len(command.data) != len(expected):
        raise Refused(Status.WRONG_LENGTH)
    if not hmac.compare_digest(command.data, expected):
        raise fail(key)
    key.reset_failures()
    chip.session.levels[chip.directory.number] = key.first & 0x0F
    return b""


def verify(chip: ChipSystem, command: Command) -> bytes:
    """00 20: a PIN; without data the tries left."""
    key = usable(chip, PIN, command.p2)
    if not command.data:
        raise Refused(0x63C0 | key.tries_left)
    if not hmac.compare_digest(command.data, key.secret):
        raise fail(key)
    key.reset_failures()
    chip.session.levels[chip.directory.number] = key.first & 0x0F
    return b""


def change_pin(chip: ChipSystem, command: Command) -> bytes:
    """80 5E: P1 01 old PIN | FF | new PIN; P1 00 new PIN | MAC by the reload key."""
    if command.p1 == 0x00:
        return _reload_pin(chip, command)
    key = usable(chip, PIN, command.p2)
    old, separator, new = command.data.partition(b"\xff")
    if not separator or not 2 <= len(new) <= 8:
        raise Refused(Status.WRONG_DATA)
    if not hmac.compare_digest(old, key.secret):
        raise fail(key)
    key.value = new.hex()
    key.reset_failures()
    return b""


def _reload_pin(chip: ChipSystem, command: Command) -> bytes:
    pin, key = chip.directory.key(PIN, command.p2), usable(chip, PIN_RELOAD, 0)
    new, mac = command.data[:-MAC_BYTES], command.data[-MAC_BYTES:]
    if pin is None or not 2 <= len(new) <= 8:
        raise Refused(Status.REFERENCE_NOT_FOUND if pin is None else Status.WRONG_LENGTH)
    if not hmac.compare_digest(mac, tac(_algorithm(chip), key.secret, new)):
        raise fail(key)
    pin.value = new.hex()
    pin.reset_failures()
    key.reset_failures()
    return b""


def unblock_pin(chip: ChipSystem, command: Command) -> bytes:
    """84 24: a new PIN, ciphered and with MAC under the unblock key; its tries count anew."""
    pin, key = chip.directory.key(PIN, command.p2), usable(chip, PIN_UNBLOCK, 0)
    if pin is None or not command.is_secured:
        raise Refused(Status.REFERENCE_NOT_FOUND if pin is None else Status.NO_MAC)
    new = decipher(chip, key, open_mac(chip, command, key))
    if not 2 <= len(new) <= 8:
        raise Refused(Status.WRONG_DATA)
    pin.value = new.hex()
    pin.reset_failures()
    return b""


# ---- blocking


def _block_key(chip: ChipSystem) -> Key:
    """The second line protection key where there is one, else the first, else the control key (a SAM has no other)."""
    for kind, number in ((LINE, 1), (LINE, 0)):
        if chip.directory.key(kind, number):
            return usable(chip, kind, number)
    return usable(chip, CONTROL, 0)


def _check_block(chip: ChipSystem, command: Command) -> None:
    if not command.is_secured:
        raise Refused(Status.NO_MAC)
    if open_mac(chip, command, _block_key(chip)):
        raise Refused(Status.WRONG_LENGTH)


def block_application(chip: ChipSystem, command: Command) -> bytes:
    """84 1E: P2 00 for a time, 01 for good."""
    if command.p2 not in (0, 1):
        raise Refused(Status.WRONG_P1P2)
    _check_block(chip, command)
    chip.directory.block = BLOCKED_FOR_GOOD if command.p2 else BLOCKED
    return b""


def unblock_application(chip: ChipSystem, command: Command) -> bytes:
    """84 18."""
    if not chip.directory.block:
        raise Refused(Status.CONDITIONS_NOT_SATISFIED)
    _check_block(chip, command)
    chip.directory.block = NO_BLOCK
    return b""


def block_card(chip: ChipSystem, command: Command) -> bytes:
    """84 16: the whole card, for good."""
    _check_block(chip, command)
    chip.state.is_blocked = True
    return b""


HANDLERS: Handlers = {
    (0x00, 0x84): get_challenge,
    (0x80, 0xD4): write_key,
    (0x00, 0x82): external_authenticate,
    (0x00, 0x20): verify,
    (0x80, 0x5E): change_pin,
    (0x80, 0x24): unblock_pin,
    (0x80, 0x1E): block_application,
    (0x80, 0x18): unblock_application,
    (0x80, 0x16): block_card,
}
WHILE_BLOCKED = frozenset({(0x00, 0x84), (0x80, 0x18), (0x80, 0x1E), (0x80, 0x16), (0x00, 0xB0), (0x00, 0xB2), (0x80, 0x5C)})
