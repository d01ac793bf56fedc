"""The embedded server on SQLite: a rush of writers to one row does not make it stand still."""

import json
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor


def test_a_rush_of_writers_is_answered_at_once(server_url: str) -> None:
    """With Prefect's own start, a few of these requests wait for SQLite's 60 seconds, nearly always."""

    def create(number: int) -> int:
        body = json.dumps({"name": "rush", "value": str(number)}).encode()
        request = urllib.request.Request(f"{server_url}/variables/", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=50) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with ThreadPoolExecutor(20) as writers:
        answers = Counter(writers.map(create, range(600)))
    assert answers[201] == 1
    assert set(answers) <= {201, 409, 503}, answers
