"""Who holds the keys' bytes: one interface (`base.Keeper`), a software keeper and one over PKCS#11."""
