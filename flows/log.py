"""What takes the lines of a run's log: a logger, or Prefect's adapter around one."""

from logging import Logger, LoggerAdapter

Log = Logger | LoggerAdapter[Logger]
