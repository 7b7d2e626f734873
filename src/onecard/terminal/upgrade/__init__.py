"""The device's side of roll-outs (D2): the repository as a device checks it, and the client that takes updates into use."""
