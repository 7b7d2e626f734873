"""The ledger's tables as Django sees them, read only. Their shape is the ledger's own (`ledger/sql/schema`)."""

from django.db import models

from onecard.ledger import codes


class Account(models.Model):
    """账户: a holder's money and standing; cards point to it."""

    account_no = models.BigIntegerField("账号", primary_key=True)
    holder_id = models.BigIntegerField("持卡人", null=True)
    operator_id = models.IntegerField("运营单位")
    unit_id = models.IntegerField("接入单位")
    card_type_id = models.IntegerField("卡种")
    lane = models.SmallIntegerField()
    status = models.SmallIntegerField("状态", choices=[(s.value, s.name.lower()) for s in codes.AccountStatus])
    debt_fen = models.BigIntegerField("欠款（分）")
    opened_at = models.DateTimeField("开户时间")

    class Meta:
        managed = False
        db_table = '"ledger"."account"'

    def __str__(self) -> str:
        return str(self.account_no)


class Card(models.Model):
    """卡: several media may point to one account (C4)."""

    card_no = models.BigIntegerField("卡号", primary_key=True)
    account = models.ForeignKey(Account, models.DO_NOTHING, db_column="account_no", related_name="cards", db_constraint=False)
    status = models.SmallIntegerField("状态", choices=[(s.value, s.name.lower()) for s in codes.CardStatus])
    medium = models.SmallIntegerField("介质", choices=[(m.value, m.name) for m in codes.Medium])
    denied = models.BooleanField("黑名单")
    valid_until = models.DateField("有效期至", null=True)

    class Meta:
        managed = False
        db_table = '"ledger"."card"'

    def __str__(self) -> str:
        return str(self.card_no)


class Purse(models.Model):
    """钱包: unit 0 is the public purse, any other the private purse of that unit (P1)."""

    pk = models.CompositePrimaryKey("account_id", "unit_id")
    account = models.ForeignKey(Account, models.DO_NOTHING, db_column="account_no", related_name="purses", db_constraint=False)
    unit_id = models.IntegerField("接入单位")
    balance_fen = models.BigIntegerField("余额（分）")
    floor_fen = models.BigIntegerField("下限（分）")
    seq = models.BigIntegerField("流水数")
    last_transfer_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = '"ledger"."purse"'

    def __str__(self) -> str:
        return f"{self.account_id}/{self.unit_id}"


class Transfer(models.Model):
    """流水: one leg of the journal. Append-only."""

    pk = models.CompositePrimaryKey("lane", "id")
    lane = models.SmallIntegerField()
    id = models.BigIntegerField("流水号")
    kind = models.SmallIntegerField("类型", choices=[(k.value, codes.KIND_TEXT[k].zh) for k in codes.TransferKind])
    debit = models.BigIntegerField("借方")
    credit = models.BigIntegerField("贷方")
    amount_fen = models.BigIntegerField("金额（分）")
    balance_after = models.BigIntegerField("余额（分）", null=True)
    prev_id = models.BigIntegerField(null=True)
    terminal_id = models.BigIntegerField("终端")
    terminal_seq = models.BigIntegerField("终端流水号")
    card_no = models.BigIntegerField("卡号", null=True)
    account_no = models.BigIntegerField("账号", null=True)
    link_id = models.BigIntegerField(null=True)
    orig_id = models.BigIntegerField("原流水", null=True)
    issuer_operator = models.IntegerField("发卡运营单位", null=True)
    business_date = models.DateField("营业日")
    occurred_at = models.DateTimeField("交易时间")
    batch_no = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = '"ledger"."transfer"'

    def __str__(self) -> str:
        return f"{self.lane}/{self.id}"


class BookAccount(models.Model):
    """科目账户: a side of transfers that is not a purse; its balance is read by `api.book_balances`."""

    id = models.BigIntegerField("科目", primary_key=True)
    kind = models.SmallIntegerField("类别")
    ref_id = models.BigIntegerField("编号")
    name = models.TextField("名称")

    class Meta:
        managed = False
        db_table = '"ledger"."book_account"'

    def __str__(self) -> str:
        return self.name or str(self.id)
