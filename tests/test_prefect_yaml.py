"""The example jobs in prefect.yaml: valid, and deployed without a question."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ccs.flows.spec.job import Job

DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent.parent / "prefect.yaml").read_text())[
    "deployments"
]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: str(d["name"]))
def test_an_example_is_a_valid_job_of_the_same_name(deployment: dict[str, Any]) -> None:
    spec = dict(deployment["parameters"]["job"])
    spec["working_directory"] = {"path": "/where/it/is/deployed/from"}
    assert Job.model_validate(spec).name == deployment["name"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: str(d["name"]))
def test_an_example_leaves_prefect_nothing_to_ask_or_to_add(deployment: dict[str, Any]) -> None:
    assert deployment["entrypoint"] == "ccs.flows.job:job"
    assert deployment["pull"] == []  # left out, Prefect adds the folder of the machine it is deployed from
    assert "schedules" in deployment  # left out, Prefect asks for one on a terminal
    assert deployment["work_pool"]["name"] == "ccs"
