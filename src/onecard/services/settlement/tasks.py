"""Settlement in the background: what pages and ticks put into the queue."""

from django.db import InterfaceError, OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from onecard.services.settlement.errors import RunBusy

_PASSING = {RunBusy, OperationalError, InterfaceError}


@app.task(name="settle_run", queue="settlement", retry=RetryStrategy(max_attempts=20, wait=3, retry_exceptions=_PASSING))
def settle_run(run_id: int, repeat: bool = False) -> None:
    """Clear, settle and prove a run. Harmless twice: a second one waits, then finds the run done."""
    from onecard.services.settlement.runs import run_settlement

    run_settlement(run_id, repeat=repeat)
