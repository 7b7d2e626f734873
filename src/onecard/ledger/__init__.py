"""The money: SQL in files, one posting function, accounts, statements and the auditor. No Django in here."""
