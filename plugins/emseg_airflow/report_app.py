"""`/emseg/report/DATASET/RUN` in Airflow's web server: the report page of a run, read from the object store.

Whoever may see DAGs may see reports; whoever is not logged in is sent to Airflow's login and comes back. The page was
made from texts of files and servers, so the browser is told to run nothing in it and to load nothing.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from emseg.config.base import NAME_PATTERN
from emseg.errors import EmsegError
from emseg_airflow.connections import object_store
from emseg_airflow.pages import login_address, report_address
from emseg_airflow.reference import RUN_PATTERN

_HEADERS = {
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}

app = FastAPI(title="Reports of emseg", openapi_url=None)


@app.get("/{dataset}/{run}", dependencies=[Depends(requires_access_dag(method="GET"))])
def report(
    dataset: Annotated[str, Path(pattern=NAME_PATTERN)], run: Annotated[str, Path(pattern=RUN_PATTERN)]
) -> Response:
    """The page; 404 where the run has none, 503 where the object store cannot be read."""
    from emseg.store import ObjectMissingError
    from emseg.tasks.run_folder import RunFolder

    try:
        page = RunFolder(object_store(probe=False), dataset, run).read_file("report.html")
    except ObjectMissingError:
        return PlainTextResponse(f"Run {run} of {dataset} has no report: its task `gate` has not judged it", 404)
    except EmsegError as error:
        return PlainTextResponse(str(error), 503)
    return HTMLResponse(page, headers=_HEADERS)


@app.exception_handler(HTTPException)
def to_the_login(request: Request, error: HTTPException) -> Response:
    """Send whoever is not logged in to the login, from which they come back here."""
    if error.status_code != 401:
        return PlainTextResponse(str(error.detail), error.status_code)
    return RedirectResponse(login_address(report_address(**request.path_params)), 307)
