"""The native device protocol: length-prefixed protobuf (protocol/native.py)."""
