"""`python -m web.cli.run …`: the command line where no script is installed on the path."""

from web.cli import main

if __name__ == "__main__":
    main()
