"""Tallymark for Python: send events (`Client`), ask questions (`Project`), run an instance (`Admin`)."""

from ._http import Backoff
from ._version import __version__
from .admin import Admin, JobFailedError
from .client import Client
from .delivery import BatchResult, Rejection
from .errors import (
    ApiError,
    ClosedError,
    InvalidEventError,
    QueueFullError,
    TallymarkError,
    UndeliveredError,
    UnreachableError,
)
from .events import Event, changes
from .project import Project
from .result import Explanation, Gap, Result

__all__ = [
    "Admin",
    "ApiError",
    "Backoff",
    "BatchResult",
    "Client",
    "ClosedError",
    "Event",
    "Explanation",
    "Gap",
    "InvalidEventError",
    "JobFailedError",
    "Project",
    "QueueFullError",
    "Rejection",
    "Result",
    "TallymarkError",
    "UndeliveredError",
    "UnreachableError",
    "__version__",
    "changes",
]
