"""`python -m sim` is `vaxsim`."""

from sim.cli import main

main()
