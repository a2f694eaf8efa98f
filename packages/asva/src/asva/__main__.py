"""``python -m asva``: the command line, for launchers such as torchrun."""

from asva.cli import main

if __name__ == "__main__":
    main()
