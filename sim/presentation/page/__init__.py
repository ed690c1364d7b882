"""The page (`vaxsim app`): choose, move, and see the answer at once."""
