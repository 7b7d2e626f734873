"""The front-end processor (通信前置机, G2, G3): one line up, many terminals down, and a journal between them."""
