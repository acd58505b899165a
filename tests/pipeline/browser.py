"""A person at Airflow's web page: log in, fill the form, start a run, watch it, read a log. Pictures of every step.

For tests and for `docs/`. It runs the installed Chromium without a screen, and remembers which hosts the pages asked.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

_QUIET = (
    "--no-sandbox",  # as root in a container there is no user to keep Chromium's own sandbox apart from
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_SIZE = {"width": 1400, "height": 1000}
_PAGE_TIMEOUT_MS = 120_000


def chromium() -> str | None:
    """The installed Chromium, if there is one."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@contextmanager
def airflow_page(url: str, pictures: Path) -> Iterator[AirflowPage]:
    """A fresh browser at the Airflow `url`; pictures are written to folder `pictures`."""
    pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_QUIET))
        try:
            page = browser.new_page(viewport=_SIZE)
            page.set_default_timeout(_PAGE_TIMEOUT_MS)
            expect.set_options(timeout=_PAGE_TIMEOUT_MS)
            yield AirflowPage(page, url.rstrip("/"), pictures)
        finally:
            browser.close()


class AirflowPage:
    """What a person does there. Every method returns when the page shows the outcome."""

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        self.addresses: set[str] = set()
        self._page, self._url, self._pictures = page, url, pictures
        page.on("request", lambda request: self.addresses.add(request.url))

    def log_in(self, username: str, password: str) -> None:
        """Log in at the page of the simple auth manager."""
        self._page.goto(self._url)
        self._page.fill("input[name=username]", username)
        self._page.fill("input[name=password]", password)
        self._page.keyboard.press("Enter")
        self._page.wait_for_url(lambda address: "login" not in address)
        expect(self._page.get_by_test_id("nav-dags-link")).to_be_visible()

    def open_form(self, dag_id: str) -> None:
        """Open the form that starts a run."""
        self._page.goto(f"{self._url}/dags/{dag_id}")
        self._page.get_by_test_id("trigger-dag-button").click()
        expect(self._page.locator("#element_dataset")).to_be_visible()

    def choose(self, field: str, value: str) -> None:
        """Choose `value` in the dropdown of `field`."""
        box = self._page.locator(f"#element_{field}")
        box.click()
        self._page.get_by_role("option", name=value, exact=True).click()
        expect(box).to_contain_text(value)

    def switch_on(self, field: str) -> None:
        """Turn on the switch of `field`."""
        switch = self._page.locator(f'[id="switch:element_{field}"]')
        switch.click()
        expect(switch).to_have_attribute("data-state", "checked")

    def shown_in(self, field: str) -> str:
        """Text of a dropdown as it stands."""
        return self._page.locator(f"#element_{field}").inner_text()

    def open_section(self, name: str, field: str) -> None:
        """Unfold a section of the form, until `field` of it is in sight."""
        self._page.get_by_role("button", name=name, exact=True).click()
        expect(self._page.get_by_text(field)).to_be_visible()

    def submit(self, dag_id: str) -> str:
        """Press Trigger; the run id, as the server answers it."""
        with self._page.expect_response(re.compile(rf"/dags/{dag_id}/dagRuns$")) as answered:
            self._page.get_by_test_id("trigger-dag-submit").click()
        return str(answered.value.json()["dag_run_id"])

    def show_run(self, dag_id: str, run_id: str) -> None:
        """Open the page of a run, with the grid of its tasks."""
        self._page.goto(f"{self._url}{_run_path(dag_id, run_id)}")
        expect(self._page.get_by_test_id("header-card")).to_contain_text(run_id)

    def answer(
        self, dag_id: str, run_id: str, task_id: str, containing: str, fields: Mapping[str, str], pictures: str
    ) -> None:
        """Answer a task that asks, with a text in its question: fill in the fields and approve."""
        self._page.goto(f"{self._url}{_run_path(dag_id, run_id)}/tasks/{task_id}/required_actions")
        button = self._page.get_by_role("button", name="Approve", exact=True)
        expect(button).to_be_visible()
        expect(self._page.locator("body")).to_contain_text(containing)
        for name, text in fields.items():
            self._page.locator(f"#element_{name}").fill(text)
        self.picture(pictures)
        button.click()
        expect(button).to_be_disabled()

    def end_of_run(self, timeout_s: float) -> str:
        """Wait until the run at hand has ended (the page renews itself); its state, in lower case."""
        # A second badge says that a person is asked, until the answer has arrived.
        badge = self._page.get_by_test_id("header-card").get_by_test_id("state-badge").first
        expect(badge).to_have_text(re.compile("success|failed", re.IGNORECASE), timeout=timeout_s * 1000)
        return badge.inner_text().lower()

    def expect_tasks(self, states: Mapping[str, str]) -> None:
        """Wait until the table of the run at hand shows these states, e.g. `{"plan": "success"}`, and no other task."""
        rows = self._page.locator("tbody tr")
        expect(rows).to_have_count(len(states))
        for task_id, state in states.items():
            name = self._page.get_by_role("link", name=task_id, exact=True)
            badge = rows.filter(has=name).get_by_test_id("state-badge")
            expect(badge).to_have_text(re.compile(state, re.IGNORECASE))

    def show_graph(self) -> None:
        """Change from the grid to the graph."""
        self._page.get_by_role("button", name=re.compile("Show Graph")).click()
        expect(self._page.locator(".react-flow__node").first).to_be_visible()

    def show_log(self, dag_id: str, run_id: str, task_id: str, containing: str) -> None:
        """Open the log of a task and wait until it shows a text."""
        self._page.goto(f"{self._url}{_run_path(dag_id, run_id)}/tasks/{task_id}")
        expect(self._page.get_by_test_id("virtual-scroll-container")).to_contain_text(containing)

    def hosts(self) -> set[str]:
        """Every host that the pages asked for anything (`data:` and `blob:` addresses have none)."""
        return {urlsplit(address).netloc for address in self.addresses} - {""}

    def picture(self, name: str) -> Path:
        """Write what is on the screen to `NAME.png`."""
        path = self._pictures / f"{name}.png"
        self._page.screenshot(path=path, animations="disabled")
        return path


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/runs/{quote(run_id, safe='')}"
