"""Wireless terminals behind an MQTT 5 broker (aiomqtt)."""
