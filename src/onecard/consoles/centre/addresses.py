"""The addresses of the pages that are not lists of one table: path, view and name, part by part."""

from collections.abc import Callable
from typing import Any, NamedTuple

from onecard.consoles.centre.pages import (
    admission,
    admissionlines,
    batches,
    cardrules,
    cards,
    departments,
    desk,
    heldcodes,
    holders,
    loads,
    offline,
    paycodes,
    rollouts,
    stock,
)


class Address(NamedTuple):
    """One page."""

    path: str
    view: Callable[..., Any]
    name: str


CARDS = (
    Address("card-types/", cardrules.card_types, "centre_card_types"),
    Address("card-types/<int:card_type_id>/", cardrules.card_type, "centre_card_type"),
    Address("card-types/<int:card_type_id>/drop/", cardrules.drop_rules, "centre_card_type_drop"),
    Address("stock/", stock.stock, "centre_stock"),
    Address("stock/new/<slug:act>/", stock.new_document, "centre_stock_new"),
    Address("stock/places/<int:place_id>/", stock.place, "centre_stock_place"),
    Address("stock/documents/<int:document_id>/", stock.document, "centre_stock_document"),
    Address("batches/", batches.batches, "centre_batches"),
    Address("batches/new/", batches.new_batch, "centre_batch_new"),
    Address("batches/<int:batch_id>/", batches.batch, "centre_batch"),
    Address("batches/<int:batch_id>/control/", batches.control, "centre_batch_control"),
    Address("batches/jobs/<int:job_id>/", batches.job, "centre_job"),
    Address("batches/jobs/<int:job_id>/act/", batches.job_act, "centre_job_act"),
    Address("cards/", cards.cards, "centre_cards"),
    Address("cards/<int:card_no>/", cards.card, "centre_card"),
    Address("cards/<int:card_no>/do/<slug:operation>/", cards.operate, "centre_card_operate"),
    Address("cards/<int:card_no>/undo/<int:event_id>/", cards.undo, "centre_card_undo"),
    Address("desk/", desk.desk, "centre_desk"),
    Address("desk/propose/", desk.propose, "centre_desk_propose"),
    Address("desk/<int:decision_id>/", desk.answer, "centre_desk_answer"),
    Address("desk/pay-codes/", heldcodes.held, "centre_held_codes"),
    Address("desk/pay-codes/propose/", heldcodes.propose, "centre_held_codes_propose"),
    Address("desk/pay-codes/<int:decision_id>/", heldcodes.answer, "centre_held_codes_answer"),
    Address("pay-codes/", paycodes.paycodes, "centre_paycodes"),
    Address("pay-codes/<int:account_no>/", paycodes.account, "centre_paycodes_account"),
    Address("pay-codes/<int:account_no>/issue/", paycodes.issue, "centre_paycodes_issue"),
    Address("pay-codes/<int:account_no>/limits/", paycodes.set_limits, "centre_paycodes_limits"),
)

PEOPLE = (
    Address("holders/", holders.holders, "centre_holders"),
    Address("holders/new/", holders.new_holder, "centre_holder_new"),
    Address("holders/find/", holders.find, "centre_holder_find"),
    Address("holders/<int:holder_id>/", holders.holder, "centre_holder"),
    Address("holders/<int:holder_id>/photo", holders.photo, "centre_holder_photo"),
    Address("holders/<int:holder_id>/set-photo/", holders.set_photo, "centre_holder_set_photo"),
    Address("holders/<int:holder_id>/close/", holders.close, "centre_holder_close"),
    Address("departments/", departments.departments, "centre_departments"),
    Address("departments/<int:department_id>/", departments.change_department, "centre_department"),
    Address("legal-caps/", departments.caps, "centre_caps"),
    Address("loads/", loads.loads, "centre_loads"),
    Address("loads/columns/<slug:word>/", loads.columns, "centre_load_columns"),
    Address("loads/<int:job_id>/", loads.load, "centre_load"),
    Address("loads/<int:job_id>/report.csv", loads.report, "centre_load_report"),
)

ADMISSION = (
    Address("admission/", admission.admission, "centre_admission"),
    Address("admission/settings/", admission.settings, "centre_admission_settings"),
    Address("admission/codes/<int:code_id>/withdraw/", admission.withdraw, "centre_admission_withdraw"),
    Address("admission/attempts/<int:attempt_id>/", admission.attempt_page, "centre_admission_attempt"),
    Address("admission/lines/<int:line_id>/", admissionlines.line, "centre_admission_line"),
    Address("admission/lines/<int:line_id>/code/", admissionlines.code, "centre_admission_code"),
    Address("admission/lines/<int:line_id>/revoke/", admissionlines.revoke, "centre_admission_revoke"),
    Address("admission/lines/<int:line_id>/reopen/", admissionlines.reopen, "centre_admission_reopen"),
)

ROLLOUTS = (
    Address("rollouts/", rollouts.rollouts, "centre_rollouts"),
    Address("rollouts/new/<int:release_id>/", rollouts.new_rollout, "centre_rollout_new"),
    Address("rollouts/<int:rollout_id>/", rollouts.rollout, "centre_rollout"),
    Address("rollouts/<int:rollout_id>/act/", rollouts.control, "centre_rollout_control"),
)

OFFLINE = (
    Address("offline/", offline.offline, "centre_offline"),
    Address("offline/release/", offline.release, "centre_offline_release"),
    Address("offline/limits/", offline.set_limit, "centre_offline_limit"),
    Address("offline/figures/", offline.set_figures, "centre_offline_figures"),
)

ALL = (*OFFLINE, *ROLLOUTS, *CARDS, *PEOPLE, *ADMISSION)
