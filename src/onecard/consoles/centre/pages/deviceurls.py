"""The addresses of the devices' pages."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from onecard.consoles.centre.pages import alarms, devices, devicestatus, templates

View = Callable[..., Any]


def device_urls(view: Callable[[View], View]) -> list[URLPattern]:
    """Status, registry, parameters and alarms."""
    pages: list[tuple[str, View, str]] = [
        ("device-status/", devicestatus.board, "centre_devices"),
        ("device-status/lines/<int:line_id>/", devicestatus.line, "centre_device_line"),
        ("device-status/terminals/<int:terminal_id>/", devicestatus.terminal, "centre_device_terminal"),
        ("device-registry/", devices.devices, "centre_registry"),
        ("device-registry/register/", devices.register, "centre_registry_register"),
        ("device-registry/models/", devices.define, "centre_registry_model"),
        ("device-registry/<int:device_id>/", devices.device, "centre_registry_device"),
        ("device-registry/<int:device_id>/describe/", devices.describe, "centre_registry_describe"),
        ("device-registry/<int:device_id>/move/", devices.move, "centre_registry_move"),
        ("device-registry/<int:device_id>/parameters/", templates.override, "centre_override"),
        ("device-parameters/", templates.templates, "centre_templates"),
        ("device-parameters/template/", templates.template, "centre_template"),
        ("device-alarms/", alarms.alarms, "centre_alarms"),
        ("device-alarms/<int:alarm_id>/", alarms.alarm, "centre_alarm"),
        ("device-alarms/rules/", alarms.rules, "centre_alarm_rules"),
        ("device-alarms/rules/<slug:kind>/", alarms.change_rule, "centre_alarm_rule"),
        ("device-alarms/recipients/", alarms.add_recipient, "centre_recipient_add"),
        ("device-alarms/recipients/<int:recipient_id>/", alarms.change_recipient, "centre_recipient"),
    ]
    return [path(address, view(page), name=name) for address, page, name in pages]
