"""What is particular to the slip of each kind of transaction: a row a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Layout(NamedTuple):
    """What is particular to a kind of transaction."""

    kind: str  # 交易类型, as it is printed
    original: str = ""  # the label of the original's voucher number


LAYOUTS: Final[Mapping[str, Layout]] = {
    "sale": Layout("消费/SALE"),
    "sale_void": Layout("消费撤销/VOID", original="原凭证号"),
    "refund": Layout("退货/REFUND", original="原凭证号"),
    "pre_authorisation": Layout("预授权/AUTH"),
    "pre_authorisation_void": Layout("预授权撤销/CANCEL", original="原凭证号"),
    "completion": Layout("预授权完成/AUTH COMPLETE", original="原凭证号"),
    "completion_notice": Layout("预授权完成/AUTH COMPLETE", original="原凭证号"),
    "completion_void": Layout("预授权完成撤销/COMPLETE VOID", original="原凭证号"),
}
"""A row a kind, by the name of its row in protocol.transactions. A balance inquiry has no slip."""
