"""The management centre (W1, 管理中心): the pages from which the whole platform is run."""
