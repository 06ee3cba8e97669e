"""`python -m gateway`: the same commands as `hangdao`, where the package is not installed."""

from gateway.cli import main

if __name__ == "__main__":
    main(prog_name="hangdao")
