-- A card of medium QR (3) pays with a code or not at all, and the application server tells such a card by its number alone: so a QR
-- card has the QR prefix (kernel.numbers.QR_ISSUER), and no other card has it.
ALTER TABLE ledger.card ADD CONSTRAINT card_qr_prefix CHECK ((medium = 3) = (card_no / 1000000000000 = 8860));
