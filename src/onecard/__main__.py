"""`python -m onecard` is the command `onecard`."""

from onecard.cli.main import main

if __name__ == "__main__":
    main()
