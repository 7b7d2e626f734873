"""Bulk loads in the background: what the upload page puts into the queue."""

from django.db import InterfaceError, OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

_PASSING = {OperationalError, InterfaceError}


@app.task(name="load_people", queue="people", retry=RetryStrategy(max_attempts=20, wait=3, retry_exceptions=_PASSING))
def load_people(job_id: int) -> None:
    """Load a file of cardholders, or go on with it. Harmless twice: a second one finds it locked or done."""
    from onecard.services.people.loads.run import run_load

    run_load(job_id)
