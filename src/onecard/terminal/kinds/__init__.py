"""Terminals as programs: POS, access controller, attendance reader, kiosk and meter, each with keypad, display and slot."""
