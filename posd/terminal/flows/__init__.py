"""The flows of the dialogue, a file each. A new one is a file, and its line here."""

from __future__ import annotations

from typing import Final

from posd.terminal.flows import (
    balance,
    blocked,
    completion,
    completion_void,
    device_check,
    fault,
    idle,
    in_doubt,
    kept,
    last,
    lock,
    menu,
    operators,
    password_change,
    pre_authorisation,
    pre_authorisation_void,
    refund,
    restored,
    sale,
    settlement,
    shutdown,
    sign_in,
    slip,
    void,
)
from posd.terminal.machine import Flow

FLOWS: Final[tuple[Flow, ...]] = (
    idle.FLOW,
    sign_in.FLOW,
    menu.FLOW,
    sale.FLOW,
    void.FLOW,
    refund.FLOW,
    pre_authorisation.FLOW,
    completion.REQUEST,
    completion.NOTICE,
    pre_authorisation_void.FLOW,
    completion_void.FLOW,
    balance.FLOW,
    settlement.FLOW,
    slip.FLOW,
    kept.FLOW,
    last.FLOW,
    blocked.FLOW,
    in_doubt.FLOW,
    restored.FLOW,
    operators.FLOW,
    password_change.FLOW,
    lock.FLOW,
    device_check.FLOW,
    shutdown.FLOW,
    fault.FLOW,
)
