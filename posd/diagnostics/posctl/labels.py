"""The words between what the terminal says, in the technician's language: labels, headings, headlines.

English is what stands in the code. What the terminal itself reports (reasons of the system, names of states
and kinds) stays as the log has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHINESE: Final[Mapping[str, str]] = {
    # status
    "TEST": "测试",
    "sells": "可以交易",
    "does not sell": "不能交易",
    "can begin a sale; the last one failed: {codes}": "可以开始交易;上一笔失败:{codes}",
    "signed in": "签到",
    "yes, operator {operator}, batch {batch}": "已签到,操作员 {operator},批次 {batch}",
    "no, batch {batch}": "未签到,批次 {batch}",
    "acquirer": "收单机构",
    "unsettled": "未结算",
    "{count} of {limit}": "{count} 笔,上限 {limit}",
    "slips waiting": "待打印",
    "clock": "时钟",
    "disk": "存储",
    "running since": "启动于",
    "program faults": "程序故障",
    "in doubt": "未定的交易",
    "last troubles": "最近的故障",
    ", {count} times": ",{count} 次",
    " (over)": "(已恢复)",
    "posctl why: what to do; posctl explain CODE: what it means": (
        "posctl why:怎么办;posctl explain 代码:是什么意思"
    ),
    "PLAIN TCP: anybody on the way can read and forge": "明文 TCP:途中任何人可读可改",
    "plain, on this machine": "明文,本机",
    "answered": "已应答",
    "trouble": "故障",
    "ok": "正常",
    "not used yet": "尚未使用",
    ", last exchange {time} {words}": ",上次通讯 {time} {words}",
    "{time} (not compared: no sign-in since the start)": "{time}(启动后未签到,未与收单机构核对)",
    "{time}, as the acquirer's": "{time},与收单机构一致",
    "{size} MiB free": "剩余 {size} MiB",
    "{free}, {size} MiB needed": "{free},至少需要 {size} MiB",
    # why
    "It does not sell:": "现在不能交易:",
    "It sells.": "可以交易。",
    "A sale can be begun, but the last failed:": "可以开始交易,但上一笔失败:",
    "The last exchange failed:": "上次通讯失败:",
    "Not right, although it does not stop a sale:": "不影响交易,但有问题:",
    "because ": "因为 ",
    "this posctl does not know the code": "此 posctl 不认识该代码",
    # devices
    "device": "设备",
    "is": "状态",
    "port": "端口",
    "says": "说明",
    "present": "在线",
    "ABSENT": "不在",
    "keypad": "键盘",
    "display": "显示屏",
    "printer": "打印机",
    "card_reader": "刷卡器",
    # screen
    "the display is absent: nobody sees this": "显示屏不在:没有人看到此画面",
    # journal, show
    "no transactions": "没有交易",
    "voucher": "凭证号",
    "time": "时间",
    "kind": "类型",
    "amount": "金额",
    "card": "卡号",
    "state": "状态",
    "code": "应答码",
    "by": "操作员",
    "id": "编号",
    "since": "开始于",
    "tries": "次数",
    "answer": "应答码",
    "of order": "所属订单",
    "{number}, the newest attempt to pay it": "{number},最近一次收款",
    "operator": "操作员",
    "in the log": "日志编号",
    "step": "步骤",
    "details": "详情",
    # a terminal that does not answer
    "no terminal answers at {path}": "{path}:没有终端应答",
    "systemctl status posd tells whether it runs; posctl doctor looks for the cause; another place: "
    "posctl --socket PATH": (
        "用 systemctl status posd 看是否在运行,用 posctl doctor 查原因;终端在别处时:posctl --socket PATH"
    ),
    "{path}: you may not ask this terminal": "{path}:您无权查询此终端",
    "use sudo, or have yourself added to the group posd-tech and log in again": (
        "用 sudo,或请管理员把您加入 posd-tech 组后重新登录"
    ),
    "the terminal ended the connection": "终端断开了连接",
    "it may be starting again: ask once more in a few seconds": "可能正在重新启动:过几秒再试",
    "the terminal does not answer": "终端没有应答",
    "it may hang: systemctl status posd; its watchdog starts it again": (
        "可能已停顿:systemctl status posd;看门狗会重新启动它"
    ),
}


class Labels:
    """The labels of one language; English for any other than Chinese."""

    def __init__(self, language: str) -> None:
        self._words = CHINESE if language == "zh_CN" else {}

    def __call__(self, text: str, **values: object) -> str:
        """The text in this language, its placeholders filled in."""
        text = self._words.get(text, text)
        return text.format(**values) if values else text
