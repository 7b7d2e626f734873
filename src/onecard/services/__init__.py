"""The business, one folder a domain. A domain's neighbours import only its `api.py`."""
