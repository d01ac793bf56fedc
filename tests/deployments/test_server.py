"""The embedded server on SQLite: a rush of writers neither makes it stand still nor is refused."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx


def test_a_rush_of_writers_to_one_row_is_answered_at_once(server_url: str) -> None:
    """With Prefect's own start, a few of these requests wait for SQLite's 60 seconds, nearly always."""

    def create(number: int) -> int:
        body = {"name": "rush", "value": str(number)}
        return httpx.post(f"{server_url}/variables/", json=body, timeout=50).status_code

    with ThreadPoolExecutor(20) as writers:
        answers = Counter(writers.map(create, range(600)))
    assert answers == {201: 1, 409: 599}


def test_no_writer_is_refused_for_another(server_url: str) -> None:
    """With Prefect's own start, many of these are answered with 503: they read before they write."""
    answers: Counter[int] = Counter()

    def live(number: int) -> None:
        with httpx.Client(base_url=server_url, timeout=50) as http:

            def ask(method: str, path: str, **body: Any) -> str:
                answer = http.request(method, path, json=body)
                answers[answer.status_code] += 1
                return str(answer.json()["id"]) if answer.content else ""

            flow = ask("POST", "/flows/", name=f"rush-{number}")
            for turn in range(5):
                artifact = ask("POST", "/artifacts/", key=f"rush-{number}", type="table", data="[]")
                run = ask("POST", "/flow_runs/", flow_id=flow, name=f"rush-{number}-{turn}")
                ask("PATCH", f"/artifacts/{artifact}", data="[1]")
                ask("DELETE", f"/artifacts/{artifact}")
                ask("DELETE", f"/flow_runs/{run}")

    with ThreadPoolExecutor(6) as writers:
        list(writers.map(live, range(6)))
    assert set(answers) == {201, 204}, answers
