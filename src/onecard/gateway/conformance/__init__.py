"""The conformance kit for makers of drivers (`onecard driver check`)."""
