"""What other areas call of the cardholders. What changes something takes an actor; each call is a transaction or a savepoint."""

from onecard.services.people.caps import Cap, cap_in_force, caps, set_cap
from onecard.services.people.departments import (
    change_department,
    create_department,
    move_department,
    paths_of,
    remove_department,
)
from onecard.services.people.holders import (
    Identity,
    NewHolder,
    change_holder,
    close_holder,
    create_holder,
    create_holders,
    find_by_document,
    find_by_staff_no,
    register_holder,
)
from onecard.services.people.identity import DocumentType, document_type_of
from onecard.services.people.loads.jobs import (
    Job,
    create_job,
    job_progress,
    recent_jobs,
    resume_loads,
    start_load,
    unfinished_jobs,
)
from onecard.services.people.loads.options import LoadOptions
from onecard.services.people.loads.report import Problem, problems_of, write_report
from onecard.services.people.loads.run import run_load
from onecard.services.people.models import Gender, HolderState, LoadMode, LoadState
from onecard.services.people.numbering import new_serials, qr_card_no_of
from onecard.services.people.photos import Picture, photo, set_photo

__all__ = [
    "Cap",
    "DocumentType",
    "Gender",
    "HolderState",
    "Identity",
    "Job",
    "LoadMode",
    "LoadOptions",
    "LoadState",
    "NewHolder",
    "Picture",
    "Problem",
    "cap_in_force",
    "caps",
    "change_department",
    "change_holder",
    "close_holder",
    "create_department",
    "create_holder",
    "create_holders",
    "create_job",
    "document_type_of",
    "find_by_document",
    "find_by_staff_no",
    "job_progress",
    "move_department",
    "new_serials",
    "paths_of",
    "photo",
    "problems_of",
    "qr_card_no_of",
    "recent_jobs",
    "register_holder",
    "remove_department",
    "resume_loads",
    "run_load",
    "set_cap",
    "set_photo",
    "start_load",
    "unfinished_jobs",
    "write_report",
]
