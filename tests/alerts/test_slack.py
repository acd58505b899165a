"""Slack's message: well formed, within Slack's limits whatever the alert says, and posted once."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from emseg.alerts import Alert, SlackChannel, WorstPlace
from emseg.alerts.slack import BLOCK_CHARACTERS, BLOCKS, HEADER_CHARACTERS, blocks_of

TEXT = st.text(max_size=60) | st.sampled_from(["&" * 4000, "<!channel>", "x" * 9000, "a&amp;b", "|>"])


def well_formed(blocks):
    """What Slack checks of such blocks, by its documentation."""
    assert 1 <= len(blocks) <= BLOCKS == 50
    header, *sections = blocks
    assert (header["type"], header["text"]["type"]) == ("header", "plain_text")
    assert 1 <= len(header["text"]["text"]) <= HEADER_CHARACTERS == 150
    for section in sections:
        assert (section["type"], section["text"]["type"]) == ("section", "mrkdwn")
        assert 1 <= len(section["text"]["text"]) <= BLOCK_CHARACTERS == 3000
        rest = re.sub(r"<https?://[^<>|\s]+\|[^<>|]*>", "", section["text"]["text"])
        assert "<" not in rest
        assert re.sub(r"&(amp|lt|gt);", "", rest).count("&") == 0
    return [section["text"]["text"] for section in sections]


def test_the_message_has_blocks_and_a_text_beside_them(receiver, alert):
    SlackChannel(SecretStr(receiver.url)).deliver(alert)
    ((_, _, body),) = receiver.received
    assert well_formed(body["blocks"]) == [
        "*demo*, run run-1",
        "• VI split of the volume is 2.5 bits; the gate asks for at most 2 bits",
        "vi_split: 2.5 (release 3: 2, +0.5)",
        "Body 17 is cut (at Z 12, Y 0, X 7)\n<https://example.org/#!17|Open the place>",
        "<https://example.org/report.html|Report>",
    ]
    assert body["blocks"][0]["text"]["text"] == "[ERROR] Quality gate failed"
    assert "VI split of the volume is 2.5 bits" in body["text"]
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)


@settings(max_examples=25)
@given(
    title=st.text(min_size=1, max_size=200).filter(str.strip),
    texts=st.lists(TEXT, min_size=3, max_size=3),
    times=st.integers(0, 80),
    address=st.sampled_from(["https://x/?a=1&b=<2>|3", "https://x/#!" + "y" * 5000, "https://x/ y"]),
)
def test_no_alert_breaks_a_limit_or_mentions_anybody(title, texts, times, address):
    """Kills a limit counted before escaping, a cut through `&amp;`, and `<!channel>` out of an error of a server."""
    alert = Alert(
        kind="failed",
        severity="error",
        title=title,
        dataset="<!here>",
        run="run-1",
        reasons=(texts[0], *texts[:2] * times),
        figures={f"f{i}": float(i) for i in range(40)},
        places=(WorstPlace(text=texts[1], link=address),) * times,
        links=dict.fromkeys(texts, address),
    )
    texts = well_formed(blocks_of(alert))
    assert texts[0] == "*&lt;!here&gt;*, run run-1"
    message = SlackChannel(SecretStr("https://hooks.slack.com/x")).message(alert)
    assert "<" not in message["text"]
    assert len(message["text"]) <= BLOCK_CHARACTERS
    json.dumps(message)


def test_what_does_not_fit_is_said_to_be_missing_and_the_links_stay(alert):
    many = alert.model_copy(update={"places": tuple(WorstPlace(text=f"Body {i}") for i in range(90))})
    texts = well_formed(blocks_of(many))
    assert len(texts) == BLOCKS - 1
    assert "more" in texts[-2]
    assert texts[-1] == "<https://example.org/report.html|Report>"


@pytest.mark.parametrize("status", [302, 400, 404, 500])
@pytest.mark.fault("F22")
def test_a_failed_post_is_tried_no_second_time_by_the_channel_itself(status, receiver, alert):
    """Kills Slack's own client, which repeats a request whose answer was lost: the message would come twice."""
    receiver.status = status
    with pytest.raises(Exception, match=f"slack 127.0.0.1.*HTTP {status}"):
        SlackChannel(SecretStr(receiver.url)).deliver(alert)
    assert len(receiver.received) == 1
