"""Alerts: what people are told about a run, the channels that carry it, and the receipts of what was delivered."""

from emseg.alerts.alert import Alert, WorstPlace, as_text, finite
from emseg.alerts.channels import Channel, LogChannel, WebhookChannel
from emseg.alerts.errors import UnsureError
from emseg.alerts.mail import MailChannel
from emseg.alerts.receipts import Delivery, Receipt, Receipts
from emseg.alerts.send import Outcome, send
from emseg.alerts.slack import SlackChannel
from emseg.alerts.trouble import IS_TROUBLE, Trouble, note_trouble, trouble_ended_by

__all__ = [
    "IS_TROUBLE",
    "Alert",
    "Channel",
    "Delivery",
    "LogChannel",
    "MailChannel",
    "Outcome",
    "Receipt",
    "Receipts",
    "SlackChannel",
    "Trouble",
    "UnsureError",
    "WebhookChannel",
    "WorstPlace",
    "as_text",
    "finite",
    "note_trouble",
    "send",
    "trouble_ended_by",
]
