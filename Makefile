# One command for all checks: make check (needs `pip install -e '.[dev]'`).
PAPERS = $(wildcard README.md CHANGELOG.md pyproject.toml pipelines)

.PHONY: check lint types floors spelling test
check: lint types floors spelling test

lint:
	ruff check .
	ruff format --check .

types:
	mypy

floors:
	lint-imports --no-cache

spelling:
	codespell leakseg tests $(PAPERS)

test:
	pytest
