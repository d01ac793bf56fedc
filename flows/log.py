"""The lines of a log: what takes those of a run, and what all of a process go through."""

import logging
from collections.abc import Callable
from logging import Logger, LoggerAdapter

from ccs.blocks.redact import Clean

Log = Logger | LoggerAdapter[Logger]
"""A logger, or Prefect's adapter around one."""

_traces = logging.Formatter()


def clean_records(clean: Callable[[str], Clean]) -> None:
    """Have every line cleaned that this process logs from now on, whoever logs it and wherever it goes.

    Where records are made is the one place that all pass: a handler may be added at any time, and Prefect's engine and
    the libraries below it log as well. For the next run of a process, call it again.
    """

    def made(*arguments: object, **named: object) -> logging.LogRecord:
        record = logging.LogRecord(*arguments, **named)  # type: ignore[arg-type]
        record.msg, record.args = clean(_message(record)), None
        if record.exc_info:
            record.exc_text, record.exc_info = clean(_traces.formatException(record.exc_info)), None
        if record.stack_info:
            record.stack_info = clean(record.stack_info)
        return record

    logging.setLogRecordFactory(made)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # whoever logs gave arguments that do not fit, and is not to fail by it
        return f"{record.msg!r} {record.args!r}"
