"""vaxsim: discrete-event simulation of a vaccination campaign's throughput."""

__version__ = "0.1.0"
