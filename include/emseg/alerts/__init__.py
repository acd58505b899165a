"""Alerts: what people are told about a run, and the channels that carry it."""

from emseg.alerts.alert import Alert, Severity, as_text
from emseg.alerts.channels import Channel, LogChannel, WebhookChannel
from emseg.alerts.send import Receipt, send

__all__ = ["Alert", "Channel", "LogChannel", "Receipt", "Severity", "WebhookChannel", "as_text", "send"]
