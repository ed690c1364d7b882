"""How a campaign is studied: replications, results, measures, statistics."""
