# `make googlenet` and `make test` each make what they need.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin

.PHONY: googlenet test test-full import-full lint bench gpu-files clean

googlenet: $(VENV)/.torch
	@mkdir -p build
	$(RUN)/netdsl check examples/googlenet.net
	$(RUN)/netdsl sizes examples/googlenet.net
	$(RUN)/netdsl compile examples/googlenet.net -o build/googlenet.py
	$(RUN)/python examples/run.py build/googlenet.py GoogLeNet 1x3x224x224 1x3x97x61

test: $(VENV)/.dev
	$(RUN)/python -m pytest -n 2 --dist loadgroup

# in parts: what passed for this very tree is not run again
test-full: $(VENV)/.dev
	$(RUN)/python benchmarks/full.py

import-full: $(VENV)/.dev
	$(RUN)/python benchmarks/import_models.py
	$(RUN)/python benchmarks/import_transformers.py

lint: $(VENV)/.dev
	$(RUN)/python -m ruff check .
	$(RUN)/python -m ruff format --check .
	$(RUN)/python -m pyright

bench: $(VENV)/.dev
	$(RUN)/python benchmarks/check_speed.py
	$(RUN)/python benchmarks/import_speed.py
	$(RUN)/python benchmarks/scaling.py
	$(RUN)/python benchmarks/contracts.py
	$(RUN)/python benchmarks/spp_speed.py
	$(RUN)/python benchmarks/export_speed.py
	-$(RUN)/python benchmarks/draw_speed.py  # needs torchview, which is not of the project
	-$(RUN)/python benchmarks/diagrams.py  # draws with other tools too, where they are installed

# What `python benchmarks/gpu.py build/gpu` measures on a machine with a GPU: docs/gpu.md
gpu-files: $(VENV)/.dev
	$(RUN)/python benchmarks/gpu_prepare.py build/gpu

# constraints.txt names the versions that the tests are known to pass with
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade pip

$(VENV)/.torch: pyproject.toml constraints.txt $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet -c constraints.txt torch numpy
	$(RUN)/python -m pip install --quiet -c constraints.txt -e .
	$(RUN)/python -m compileall -q netdsl
	@touch $@

# What blocks and networks that torchvision lacks are compared with, and what their packages need to
# be imported; the parsers of Triton and TensorRT's tools
PUBLIC = timm==1.0.31 segmentation-models-pytorch==0.6.0 pytorchcv==0.0.74 torchgan==0.1.0 \
	facenet-pytorch==2.6.0 tritonclient==2.73.0 polygraphy==0.53.6 \
	huggingface-hub==0.36.0 requests==2.34.2 charset-normalizer==3.5.3 pyyaml==6.0.4 tqdm==4.70.1

# torchvision without what it would pull in: it must not replace the CPU build of torch
$(VENV)/.dev: $(VENV)/.torch Makefile
	$(RUN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(RUN)/python -m pip install --quiet --no-deps torchvision==0.28.0 $(PUBLIC)
	@touch $@

clean:
	rm -rf build dist $(VENV)
