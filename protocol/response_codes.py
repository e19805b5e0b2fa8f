"""Element 39: what a response code means, and what the clerk is to do (dialect: response codes).

Texts are the acquirers' usual ones; `action` says in English what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct

from protocol.transactions import Transaction


class ResponseClass(Enum):
    """What kind of answer a code is."""

    APPROVED = "approved"
    RETRY = "retry"  # the same transaction may succeed if tried again, at once or later
    DECLINE = "decline"  # this card, this amount: not now
    OPERATOR = "operator"  # something that was entered is wrong
    SYSTEM = "system"  # terminal, keys or merchant set-up: the technician or a sign-in


class ResponseCode(Struct, frozen=True):
    """One code: its class, the text for the screen in both languages, and what to do."""

    code: str
    kind: ResponseClass
    zh: str
    en: str
    action: str


_OK, _RETRY, _DECLINE = ResponseClass.APPROVED, ResponseClass.RETRY, ResponseClass.DECLINE
_OPERATOR, _SYSTEM = ResponseClass.OPERATOR, ResponseClass.SYSTEM

_ASK_ISSUER = "ask the cardholder to contact the issuer"
_OTHER_CARD = "ask for another card"
_KEEP = "do not give the card back; call the acquirer; safety first"
_LATER = "try again later"
_CALL = "call the acquirer"
_SIGN_IN = "sign in, then try again"
_NONE = "none"

_ROWS: tuple[tuple[str, ResponseClass, str, str, str], ...] = (
    ("00", _OK, "交易成功", "Approved", _NONE),
    ("01", _DECLINE, "请持卡人与发卡银行联系", "Cardholder to call issuer", _ASK_ISSUER),
    ("03", _SYSTEM, "无效商户", "Invalid merchant", _CALL),
    ("04", _DECLINE, "此卡被没收", "Pick up card", _KEEP),
    ("05", _DECLINE, "持卡人认证失败", "Cardholder not verified", _OTHER_CARD),
    ("06", _DECLINE, "交易失败,请联系发卡行", "Failed, call issuer", _ASK_ISSUER),
    ("07", _DECLINE, "没收卡,请联系收单行", "Pick up card, call acquirer", _KEEP),
    ("09", _RETRY, "交易失败,请重试", "Failed, try again", "try again"),
    ("10", _OK, "部分批准", "Partially approved", "collect the rest another way"),
    ("11", _OK, "成功,VIP客户", "Approved, VIP", _NONE),
    ("12", _OPERATOR, "无效交易", "Invalid transaction", "check what was entered"),
    ("13", _OPERATOR, "无效金额", "Invalid amount", "check the amount"),
    ("14", _DECLINE, "无效卡号", "Invalid card number", _OTHER_CARD),
    ("15", _DECLINE, "此卡无对应发卡方", "No such issuer", _OTHER_CARD),
    ("21", _DECLINE, "该卡未初始化或睡眠卡", "Card not active", _ASK_ISSUER),
    (
        "22",
        _OPERATOR,
        "操作有误,或超出交易允许天数",
        "Wrong, or too late",
        "check what was entered",
    ),
    ("25", _OPERATOR, "没有原始交易,请联系发卡方", "No original", "check the voucher, or refund"),
    ("30", _RETRY, "请重试", "Try again", "try again"),
    ("33", _DECLINE, "过期卡,请联系发卡行", "Expired card", _OTHER_CARD),
    ("34", _DECLINE, "作弊卡,吞卡", "Fraud, pick up card", _KEEP),
    ("36", _DECLINE, "此卡有误,请换卡重试", "Faulty card", _OTHER_CARD),
    ("38", _DECLINE, "密码错误次数超限,请与发卡方联系", "PIN tries exceeded", _ASK_ISSUER),
    ("40", _DECLINE, "发卡方不支持的交易类型", "Not supported by issuer", _OTHER_CARD),
    ("41", _DECLINE, "挂失卡,请没收", "Lost card, pick up", _KEEP),
    ("43", _DECLINE, "被窃卡,请没收", "Stolen card, pick up", _KEEP),
    ("45", _OPERATOR, "请使用芯片", "Use the chip", "insert the card, or ask for another"),
    ("51", _DECLINE, "可用余额不足", "Insufficient funds", _OTHER_CARD),
    ("54", _DECLINE, "该卡已过期", "Expired card", _OTHER_CARD),
    ("55", _RETRY, "密码错", "Wrong PIN", "try again with the right PIN"),
    ("57", _DECLINE, "不允许此卡交易", "Card not permitted", _OTHER_CARD),
    ("58", _DECLINE, "发卡方不允许该卡在本终端进行此交易", "Not permitted here", _OTHER_CARD),
    ("59", _DECLINE, "卡片校验错", "Card check failed", _OTHER_CARD),
    ("61", _DECLINE, "交易金额超限", "Amount above limit", _OTHER_CARD),
    ("62", _DECLINE, "受限制的卡", "Restricted card", _OTHER_CARD),
    ("64", _OPERATOR, "交易金额与原交易不匹配", "Not the original's amount", "check the amount"),
    ("65", _DECLINE, "超出消费次数限制", "Too many payments", _OTHER_CARD),
    ("68", _RETRY, "交易超时,请重试", "Time-out, try again", "try again"),
    ("75", _DECLINE, "密码错误次数超限", "PIN tries exceeded", _ASK_ISSUER),
    ("77", _SYSTEM, "请重新签到,再作交易", "Sign in again", _SIGN_IN),
    ("79", _SYSTEM, "POS终端重传脱机数据", "Upload offline data again", _CALL),
    ("90", _RETRY, "系统日切,请稍后重试", "Day change, try later", _LATER),
    ("91", _RETRY, "发卡方状态不正常,请稍后重试", "Issuer not ready, try later", _LATER),
    ("92", _RETRY, "发卡方线路异常,请稍后重试", "Issuer line down, try later", _LATER),
    ("94", _RETRY, "拒绝,重复交易,请稍后重试", "Duplicate, try later", _LATER),
    ("96", _RETRY, "拒绝,交换中心异常,请稍后重试", "Switch fault, try later", _LATER),
    ("97", _SYSTEM, "终端未登记", "Terminal unknown", _CALL),
    ("98", _RETRY, "发卡方超时", "Issuer time-out", _LATER),
    ("99", _SYSTEM, "PIN格式错,请重新签到", "PIN format, sign in again", _SIGN_IN),
    ("A0", _SYSTEM, "MAC校验错,请重新签到", "MAC wrong, sign in again", _SIGN_IN),
    ("A1", _DECLINE, "转账货币不一致", "Currencies differ", _CALL),
    ("A2", _OK, "交易成功,请向资金转入行确认", "Approved, confirm with receiver", _NONE),
    ("A3", _OPERATOR, "账户不正确", "Wrong account", "check what was entered"),
    ("A4", _OK, "交易成功,请向资金到账行确认", "Approved, confirm with receiver", _NONE),
    ("A5", _OK, "交易成功,请向资金到账行确认", "Approved, confirm with receiver", _NONE),
    ("A6", _OK, "交易成功,请向资金到账行确认", "Approved, confirm with receiver", _NONE),
    ("A7", _SYSTEM, "安全处理失败", "Security processing failed", _CALL),
)
_CALL_ISSUER = [
    "02",
    "19",
    "20",
    "23",
    "31",
    "39",
    "42",
    "44",
    "52",
    "53",
    "56",
    "60",
    "63",
    "66",
    "93",
    "95",
]
_PICK_UP = ["35", "37", "67"]

CODES: Mapping[str, ResponseCode] = MappingProxyType(
    {
        **{row[0]: ResponseCode(*row) for row in _ROWS},
        **{
            code: ResponseCode(
                code, _DECLINE, "交易失败,请联系发卡行", "Failed, call issuer", _ASK_ISSUER
            )
            for code in _CALL_ISSUER
        },
        **{
            code: ResponseCode(
                code, _DECLINE, "没收卡,请联系收单行", "Pick up card, call acquirer", _KEEP
            )
            for code in _PICK_UP
        },
    }
)

_SIGN_IN_CODES = frozenset({"77", "99", "A0"})
_KEEP_CARD_CODES = frozenset({"04", "07", "34", "35", "37", "41", "43", "67"})


def look_up(code: str) -> ResponseCode:
    """The row of a code; one that no row knows is a decline, 交易失败."""
    row = CODES.get(code)
    if row is None:
        return ResponseCode(code, _DECLINE, "交易失败", "Failed", _OTHER_CARD)
    return row


def approves(code: str, transaction: Transaction | None) -> bool:
    """Does this code approve that transaction (None: one that no row describes)?

    Financial answers know 00, 11, A2, A4, A5, A6 and, for a sale alone, the partial approval 10;
    every other answer knows only 00.
    """
    if transaction is None or not transaction.financial:
        return code == "00"
    if code == "10":
        return transaction.takes_partial_approval
    return look_up(code).kind is ResponseClass.APPROVED


def asks_sign_in(code: str) -> bool:
    """Must the terminal sign in before its next transaction?"""
    return code in _SIGN_IN_CODES


def keep_card(code: str) -> bool:
    """Is the card not to be given back (请勿退卡, 联系收单机构, 安全第一)?"""
    return code in _KEEP_CARD_CODES
