"""Which vaccine comes first, which second, and when: the scenario's regimens as arrays."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from sim.scenario import Scenario


class Regimens:
    """By number of the regimen (a last entry stands for "none"), or by day and vaccine."""

    def __init__(self, scenario: Scenario, days: int) -> None:
        regimens = list(scenario.regimens.values())
        vaccines = list(scenario.vaccines)
        first_day = scenario.campaign.first_day
        self.second = np.array(
            [vaccines.index(r.second) if r.second else -1 for r in regimens] + [-1], dtype=np.int64
        )
        self.min_days = np.array([r.min_days for r in regimens] + [0], dtype=np.int64)
        self.target_days = np.array([r.target_days for r in regimens] + [0], dtype=np.int64)
        self.of_first_dose = np.full((days, len(vaccines)), -1, dtype=np.int64)
        """regimen begun by a first dose on a day with a vaccine, or -1"""
        self.completes = np.zeros((days, len(vaccines)), dtype=np.bool_)
        """whether a first dose on a day with a vaccine is all that its regimen asks for"""
        self.first_choices = np.full((days, len(vaccines)), -1, dtype=np.int64)
        """vaccines for first doses on each day, in order of preference, padded with -1"""
        for d in range(days):
            choices: list[int] = []
            for number, regimen in enumerate(regimens):
                vaccine = vaccines.index(regimen.first)
                if regimen.begins_on(first_day + timedelta(days=d)) and vaccine not in choices:
                    choices.append(vaccine)
                    self.of_first_dose[d, vaccine] = number
                    self.completes[d, vaccine] = regimen.second is None
            self.first_choices[d, : len(choices)] = choices
