"""The command `onecard`: one module a group, each imported only when its group is called."""
