"""The parameters of the flow: their help, their schema, and how large a spec may be."""

from typing import Any

from ccs.flows.spec.job import Job

MAX_SPEC_BYTES = 500_000
"""A flow run's parameters may hold 512 KB on the server; this leaves room for what Prefect adds."""

JOB_HELP = "The whole job: working directory, profile, tasks and policies."
ONLY_HELP = "Names or ids of the tasks to run; empty for all of them."
CONTINUES_HELP = "Id of an earlier run of the job, whose finished tasks keep their results and are not repeated."


def check_size(job: Job) -> None:
    """Raise ValueError, saying what to do, when the spec is larger than the server takes."""
    size = len(job.model_dump_json().encode())
    if size > MAX_SPEC_BYTES:
        raise ValueError(
            f"the spec of job {job.name!r} would be {size / 1000:,.0f} KB, more than the {MAX_SPEC_BYTES // 1000} KB "
            "that fit: put the long prompt in a file on the node and name it with prompt_file"
        )


def parameter_schema() -> dict[str, Any]:
    """The JSON schema of the flow's parameters, as Prefect derives it from the flow's signature.

    It is what the server validates parameters with and what the UI builds its form from; the command line
    needs it without importing Prefect.
    """
    job = Job.model_json_schema(ref_template="#/definitions/{model}")
    definitions = job.pop("$defs")
    return {
        "title": "Parameters",
        "type": "object",
        "properties": {
            "job": {"$ref": "#/definitions/Job", "description": JOB_HELP, "position": 0, "title": "job"},
            "only": {
                "default": [],
                "description": ONLY_HELP,
                "items": {"type": "string"},
                "position": 1,
                "title": "only",
                "type": "array",
            },
            "continues": {
                "default": "",
                "description": CONTINUES_HELP,
                "position": 2,
                "title": "continues",
                "type": "string",
            },
        },
        "required": ["job"],
        "definitions": {**definitions, "Job": job},
    }
