"""The command line of a search, in a clone: ``python tune.py --help`` tells the rest."""

from tuning.search_cli import main

if __name__ == "__main__":
    main()
