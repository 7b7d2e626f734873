"""The permissions of the card domain, for the consoles' roles: `cards.<operation>` and those of rules, numbers and stock."""

from onecard.kernel.codes import Text

VIEW = "cards.view"
RULES = "cards.rules"
CLAIM = "cards.claim"
UNDO = "cards.undo"
WAIVE_FEE = "cards.waive_fee"
STOCK_VIEW = "cards.stock_view"
STOCK_ORDER = "cards.stock_order"
STOCK_RECEIVE = "cards.stock_receive"
STOCK_HAND_OVER = "cards.stock_hand_over"
STOCK_RETURN = "cards.stock_return"
STOCK_SCRAP = "cards.stock_scrap"

PERMISSIONS: dict[str, Text] = {
    VIEW: Text("查看卡片及其全部经过", "See cards and their whole life"),
    RULES: Text("制定卡种规则与卡号规则", "Set card types' rules and numbering"),
    CLAIM: Text("领用空白卡", "Take blanks for personalisation"),
    STOCK_VIEW: Text("查看库存", "See the stock"),
    STOCK_ORDER: Text("订货", "Order cards"),
    STOCK_RECEIVE: Text("入库", "Receive cards"),
    STOCK_HAND_OVER: Text("调拨", "Hand cards over"),
    STOCK_RETURN: Text("退库", "Return cards"),
    STOCK_SCRAP: Text("作废空白卡", "Scrap blanks"),
    "cards.issue": Text("发卡", "Issue a card"),
    "cards.activate": Text("启用", "Activate a card"),
    "cards.register": Text("实名登记", "Register a card to a person"),
    "cards.report_lost_verbal": Text("口头挂失", "Report lost by telephone"),
    "cards.report_lost": Text("书面挂失", "Report lost"),
    "cards.lift": Text("解挂", "Lift a loss report"),
    "cards.freeze": Text("冻结", "Freeze"),
    "cards.unfreeze": Text("解冻", "Unfreeze"),
    "cards.replace": Text("补卡", "Replace a lost card"),
    "cards.exchange": Text("换卡", "Exchange a damaged card"),
    "cards.change_type": Text("变更卡种", "Change the card type"),
    "cards.extend": Text("延期", "Extend the validity"),
    "cards.return": Text("退卡", "Take a card back with refund"),
    "cards.expire": Text("到期处理", "Expire cards"),
    "cards.carry_over": Text("芯片余额转移", "Carry over an old chip's balance"),
    "cards.close": Text("注销", "Close a card"),
    UNDO: Text("撤销操作", "Undo an operation"),
    WAIVE_FEE: Text("免收费用", "Waive a fee"),
}
