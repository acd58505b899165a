"""Slack, by an incoming webhook: the alert as blocks, and as text for notifications and old clients.

Every text is escaped, so no title or error can mention `<!channel>` or make a link of its own. Slack refuses a message
that is too long as a whole, so what does not fit is cut and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from emseg.alerts.alert import Alert, WorstPlace, as_text
from emseg.alerts.channels import WebhookChannel

BLOCKS = 50
BLOCK_CHARACTERS = 3000
HEADER_CHARACTERS = 150
"""Limits of Slack: blocks in a message, characters of a section and of a header."""

_MORE = "... and more: see the report"


class SlackChannel(WebhookChannel):
    """Posts to an incoming webhook of Slack, or of a chat that understands the same messages."""

    name = "slack"

    def message(self, alert: Alert) -> dict[str, Any]:
        """`{"text": ..., "blocks": [...]}`; links are not unfolded."""
        text = _cut(_escaped(as_text(alert)), BLOCK_CHARACTERS)
        return {"text": text, "blocks": blocks_of(alert), "unfurl_links": False, "unfurl_media": False}


def blocks_of(alert: Alert) -> list[dict[str, Any]]:
    """The alert as blocks of Slack's Block Kit, within its limits."""
    header = _cut(f"[{alert.severity.upper()}] {' '.join(alert.title.split())}", HEADER_CHARACTERS)
    links = [_link(address, title) for title, address in alert.links.items()]
    sections = [
        *_sections([f"*{_escaped(alert.dataset)}*, run {_escaped(alert.run)}"]),
        *_sections(f"• {_escaped(reason)}" for reason in alert.reasons),
        *_sections(_escaped(line) for line in alert.figure_lines()),
        *(section for place in alert.places for section in _sections([_place(place)])),
    ]
    room = BLOCKS - 2
    if len(sections) > room:
        sections = [*sections[: room - 1], *_sections([_MORE])]
    return [{"type": "header", "text": {"type": "plain_text", "text": header}}, *sections, *_sections(links)[:1]]


def _sections(lines: Iterable[str]) -> list[dict[str, Any]]:
    """As few sections as hold the lines, none of which is divided; a line that no section holds is cut."""
    texts: list[str] = []
    for line in (_cut(each, BLOCK_CHARACTERS) for each in lines):
        if texts and len(texts[-1]) + 1 + len(line) <= BLOCK_CHARACTERS:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts if text]


def _place(place: WorstPlace) -> str:
    text = _escaped(str(place))
    linked = f"{text}\n{_link(place.link, 'Open the place')}" if place.link else text
    return linked if len(linked) <= BLOCK_CHARACTERS else text


def _link(address: str, title: str) -> str:
    """A link of Slack. One that is longer than a section has room for is left to the report."""
    title = _escaped(title).replace("|", "/")
    safe = re.sub(r"[<>|\s]", lambda found: f"%{ord(found.group()):02X}", address)
    link = f"<{safe.replace('&', '&amp;')}|{title}>"
    return link if len(link) <= BLOCK_CHARACTERS else f"{title}: the address is too long for Slack"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, characters: int) -> str:
    """`text`, or its beginning with three dots; never half of an escaped character."""
    if len(text) <= characters:
        return text
    return re.sub(r"&[a-z]*$", "", text[: characters - 3]) + "..."
