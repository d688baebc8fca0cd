"""The scripts are run, not collected: each needs a framework, and imports it whole."""

collect_ignore_glob = ["with_*.py"]
