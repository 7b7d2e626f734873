"""Monitoring: the live figures that application servers leave for the management centre's home page."""
