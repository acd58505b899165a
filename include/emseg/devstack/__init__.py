"""A real DVID, a real S3 and a real Airflow on this computer, with all data in one folder."""

from emseg.devstack.stack import DevStack, ServerStatus, down, status, up

__all__ = ["DevStack", "ServerStatus", "down", "status", "up"]
