"""The upgrade client of devices (D2): what is signed, newer and for this hardware goes into the other slot, and proves itself there."""
