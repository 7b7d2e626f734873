"""Card readers: one protocol, and the readers behind it: in process, PC/SC, and the bridge that puts virtual cards into PC/SC."""
