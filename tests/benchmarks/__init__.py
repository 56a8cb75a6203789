"""Speed, as ratios of things measured side by side in one run, by ``nox -s bench``; nothing fails by a timing."""
