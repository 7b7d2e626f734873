"""Modbus water and power meters (pymodbus), RTU over a bus or TCP."""
