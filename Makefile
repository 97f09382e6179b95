# `make demo` and `make test` set up all they need in a virtual environment of their own.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

PEERS ?= .venv-peers
DOCS ?= .venv-docs
CUDA ?= .venv-cuda
CUDA_MLIR ?= .venv-cuda-mlir
GPU ?= .venv-gpu
VERSIONS ?= .venv-versions

SECONDS ?= 60

.PHONY: demo fuzz faults test test-compiled test-interpreted test-cuda test-ptx test-oldest test-long test-versions test-gpu test-pages test-peers lint docs pages pictures mutants bench bench-gradients bench-peers bench-cuda-ptx clean

demo: $(VENV)/core  ## install, compile, train on the drawn faces, print the validation accuracy
	$(BIN)/python run.py --max_steps 12

test: $(VENV)/dev  ## everything CI runs: the compiled tests on one core, the others after each other on a second
	$(MAKE) --jobs=2 --output-sync=target test-compiled lint test-oldest test-ptx test-cuda test-interpreted

# Where other work has the cores, threads that wait by going round in circles take ten times as long.
test-compiled test-oldest test-long: export OMP_WAIT_POLICY = passive

test-compiled: $(VENV)/dev
	cache=$$(mktemp -d) && NUMBA_CACHE_DIR=$$cache $(BIN)/python -m pytest -m "not ptx and not long"; \
	    code=$$?; rm -r $$cache; exit $$code

test-interpreted: $(VENV)/dev  ## the kernels as plain Python: out-of-bounds reads and races of order show here
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -m "not once and not long"

SIMULATED = NUMBA_ENABLE_CUDASIM=1 $(BIN)/python -m pytest -q -k cuda

test-cuda: $(VENV)/dev  ## the edition for NVIDIA devices on a simulator, which says what is computed, not how fast
	$(SIMULATED) -m "not long"

test-ptx: $(CUDA)/ready $(CUDA_MLIR)/ready  ## its kernels, compiled for devices without a device, by either package
	$(CUDA)/bin/python -m pytest -q tests/kernels/test_cuda_code.py tests/kernels/test_cuda_graph.py -m "ptx and not long"
	$(CUDA_MLIR)/bin/python -m pytest -q tests/kernels/test_cuda_code.py tests/kernels/test_cuda_graph.py -m "ptx and not long"

test-long: $(VENV)/dev $(CUDA)/ready $(CUDA_MLIR)/ready  ## all tests in all ways, with what `make test` leaves out
	$(BIN)/python -m pytest -q
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q
	$(SIMULATED)
	$(CUDA)/bin/python -m pytest -q tests/kernels/test_cuda_code.py
	$(CUDA_MLIR)/bin/python -m pytest -q tests/kernels/test_cuda_code.py

test-oldest: $(VENV)/dev  ## a part of the tests with the oldest dependencies, on the oldest Python found
	$(BIN)/python bench/versions.py --oldest $(VERSIONS)

test-versions: $(VENV)/dev  ## more of them on every Python found, with the newest dependencies and with the oldest
	$(BIN)/python bench/versions.py $(VERSIONS)

test-gpu: $(GPU)/ready  ## the first day on an NVIDIA device, in 7 minutes: right, how fast, peers, races
	$(GPU)/bin/python bench/cuda_day.py --json bench/results/cuda_day.json

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(DOCS)/ready  ## the pages, to be read without a network: build/site/index.html; with npm, with Python in them
	$(DOCS)/bin/python docs/tools/python_in_page.py
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --quiet
	@echo "open build/site/index.html"

# A newer playwright-core asks Firefox 153 for what it does not know.
test-pages: docs $(VENV)/core  ## the pages in Chromium, or BROWSER=firefox: accessibility, widths, search, exercises, figures; needs npm
	npm install --silent --no-fund --no-audit --prefix build/browser playwright-core@1.62 axe-core@4
	node docs/tools/look.mjs
	node docs/tools/exercises.mjs
	$(BIN)/python docs/tools/moving.py build/browser/moving.json
	node docs/tools/moving.mjs

pages: $(VENV)/dev  ## what the pages take from the code: code, values, tables, pictures, what the walks print
	$(BIN)/python docs/tools/pages.py

pictures: $(VENV)/dev  ## the pictures of README and of the page on the drawn faces; trains for a minute
	$(BIN)/python docs/tools/answers.py docs/answers.png
	$(BIN)/python -m emop3d_np faces docs/faces.png

bench: $(VENV)/dev  ## limits of this machine, speed, growth, what each idea gave: into docs/speed.md; ten minutes
	$(BIN)/python bench/speed.py
	$(BIN)/python bench/ablations.py
	$(BIN)/python bench/ranks.py
	$(BIN)/python bench/tables.py

mutants: $(VENV)/dev  ## small mistakes made in the code one at a time: do the tests notice? fifteen minutes of one core
	$(BIN)/python bench/mutants.py --json docs/mutants.json --table docs/mutants.md

faults: $(VENV)/dev  ## every command killed at every write, on a full disk, twice at once, its files damaged; an hour
	$(BIN)/python tests/faults/fault_campaign.py --damage
	$(BIN)/python tests/faults/fault_campaign.py --anew --kinds kill,kill-main --twice 50

test-peers: $(PEERS)/ready  ## functions of PyTorch and JAX put to the gradient checker, in the peers' environment
	$(PEERS)/bin/python -m pytest -q tests/gradcheck/test_frameworks.py

fuzz: $(VENV)/dev  ## every file format and every command's flags, damaged at random, each for SECONDS: make fuzz SECONDS=3600
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) --first $(or $(FIRST),0)

bench-gradients: $(PEERS)/ready  ## planted mistakes put to our gradient checker and to others', in their own environment
	$(PEERS)/bin/python bench/gradient_truth.py
	OMP_NUM_THREADS=1 $(PEERS)/bin/python bench/planted_gradients.py --seeds 10 --json docs/planted_gradients.json --table docs/planted_gradients.md

bench-peers: $(PEERS)/ready  ## our step, forward and single clip beside PyTorch, JAX and ONNX Runtime, into README and docs/speed.md
	$(PEERS)/bin/python bench/peers_bench.py
	$(PEERS)/bin/python bench/tables.py

bench-cuda-ptx: $(CUDA)/ready  ## the kernels for NVIDIA devices: registers, occupancy, bound on paper, into docs/cuda.md
	$(CUDA)/bin/python bench/cuda_ptx.py --page docs/cuda.md
	$(CUDA)/bin/python bench/cuda_model.py --page docs/cuda.md

$(CUDA)/ready: setup.cfg
	$(PYTHON) -m venv $(CUDA)
	$(CUDA)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[cuda]' pytest hypothesis
	touch $@

$(CUDA_MLIR)/ready: setup.cfg
	$(PYTHON) -m venv $(CUDA_MLIR)
	$(CUDA_MLIR)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[cuda-mlir]' pytest hypothesis
	touch $@

$(GPU)/ready: setup.cfg
	$(PYTHON) -m venv $(GPU)
	$(GPU)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[cuda]' pytest hypothesis
	touch $@

# The extra alone: building the site needs neither the package nor what it depends on.
EXTRA = import configparser; read = configparser.ConfigParser(); read.read("setup.cfg"); print(read["options.extras_require"]["docs"])

$(DOCS)/ready: setup.cfg
	$(PYTHON) -m venv $(DOCS)
	$(PYTHON) -c '$(EXTRA)' | $(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement /dev/stdin
	touch $@

$(PEERS)/ready:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --editable . torch==2.13.0 jax autograd onnx onnxruntime tensorflow-cpu pytest hypothesis
	touch $@

$(VENV)/python:
	$(PYTHON) -m venv $(VENV)
	ln -sf bin/python $@

$(VENV)/core: $(VENV)/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(VENV)/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) $(DOCS) $(PEERS) $(CUDA) $(CUDA_MLIR) $(GPU) $(VERSIONS) build *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
