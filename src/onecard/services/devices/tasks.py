"""Devices in the background: sending messages about alarms, which may wait for other people's servers."""

from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued


@app.task(name="send_alarm_messages", queue="devices")
def send_alarm_messages() -> None:
    """Send what is due. Harmless twice: each message is claimed by one."""
    from onecard.services.devices.registry.messages import send_messages

    while send_messages():
        pass


def queue_messages() -> None:
    """Have what is due sent, once."""
    try:
        send_alarm_messages.configure(queueing_lock="alarm-messages").defer()
    except AlreadyEnqueued:
        return
