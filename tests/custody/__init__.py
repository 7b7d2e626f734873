"""Tests of the custody of keys: components, the ceremony, dual control, SAMs, their command line and pages."""
