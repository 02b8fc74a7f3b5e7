"""`netdsl import`: a network of another framework or format as a `.net` file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from netdsl.backends.torch.comparing import TOLERANCE, Comparison, comparisons
from netdsl.cli.options import Chosen, network_options
from netdsl.cli.shell import check_output, fail, write
from netdsl.diagnostics.reading import reason
from netdsl.files import check_not_read, drafting
from netdsl.importers.frontend import ENDINGS, front_end_name, is_foreign
from netdsl.importers.others import advice
from netdsl.network import Network


@click.command("import")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--output", metavar="OUT.net", help="Where to; standard output if left out.")
@network_options
@click.option("--weights", metavar="FILE", help="A .weights or .caffemodel file.")
@click.option("--verify", is_flag=True, help="Run it beside its source, where that can be run.")
@click.option("--weights-out", metavar="OUT.safetensors", help="Where its weights are written to.")
@click.option("--plugins-out", metavar="OUT.py", help="Where layers are written to that call "
              "modules of PyTorch which the language has no word for.")  # fmt: skip
def command(
    source: str,
    output: str | None,
    weights: str | None,
    weights_out: str | None,
    plugins_out: str | None,
    verify: bool,
    chosen: Chosen,
) -> None:
    """Write a network of another format as a `.net` file that says the same.

    SOURCE is a file (.cfg, .prototxt, .yaml, .onnx, .keras, .json) or PyTorch code, MODULE:NAME or
    FILE.py:NAME, maybe with arguments. Only such code is run; files are read as data.

    \b
    Examples:
      netdsl import torchvision.models:resnet50 -o resnet50.net
      netdsl import yolov4.cfg -o yolov4.net --weights yolov4.weights
      netdsl import yolov8.yaml --set scale=n
    """
    if not is_foreign(source):
        endings = ", ".join(ENDINGS)
        message = f"`{source}` is neither MODULE:NAME nor a file that ends in one of {endings}"
        if source.endswith(".net"):
            message = f"`{source}` is a `.net` file already: `netdsl fmt` lays it out"
        help = advice(source)
        message += f": {help}" * bool(help)
        raise click.BadParameter(message, param_hint="SOURCE")
    for path in (output, weights_out, plugins_out):
        check_output(path, source, "be imported")
    _check_plugins_out(source, plugins_out)
    network, left = chosen.load_with_weights(source, weights, plugins_out)
    if left is not None:
        help = "load other files into what was imported: netdsl check OUT.net --weights FILE"
        raise click.BadParameter(f"`{left}` is no file of this format's weights; {help}")
    plugins = network.origin.plugins if network.origin is not None else {}
    outputs = [path for path in (output, weights_out, *plugins) if path not in (None, "-")]
    check_not_read(outputs, [source, *network.sources])
    _check_plugins(plugins, outputs)
    if verify:
        _verify(network)
    if weights_out is not None:
        _write_weights(network, weights_out)
    if plugins_out is not None:
        _write_plugins(plugins, plugins_out)
    lines = network.source.count("\n")
    told = f"{network.name}, {lines} lines, {network.parameters:,} parameters"
    write(output, network.source, told)


def _verify(network: Network) -> None:
    """Print every run; ends where the source gives other numbers."""
    if network.origin is None or network.origin.runs is None:
        fail("this source can't be run here, so that nothing is there to compare with")
    if find_spec("torch") is None:
        fail("--verify needs torch: pip install torch")
    results: list[Comparison] = []
    for result in comparisons(network.graph, network.torch().eval(), network.origin.runs):
        click.echo(str(result), err=True)
        results.append(result)
    if not all(result.is_equal for result in results):
        fail(f"the source gives other numbers, by more than {TOLERANCE}; no file is written")


def _check_plugins_out(source: str, path: str | None) -> None:
    if path is None:
        return
    if front_end_name(source) != "torch":
        raise click.BadParameter("only PyTorch sources have code", param_hint="--plugins-out")
    if not path.endswith(".py") or not Path(path).stem.isidentifier():
        message = f"`{path}` is no name of a Python file, such as `layers.py`"
        raise click.BadParameter(message, param_hint="--plugins-out")


def _check_plugins(files: Mapping[str, str], outputs: Sequence[str | None]) -> None:
    """Files that a person goes on writing are never replaced by others."""
    for path, text in files.items():
        if list(map(str, outputs)).count(path) > 1:
            fail(f"two files would be written to {path}")
        if Path(path).exists() and Path(path).read_bytes() != text.encode():
            fail(f"{path} is there, and says something else: give another name, or remove it")


def _write_plugins(files: Mapping[str, str], path: str) -> None:
    if not files:
        click.echo("note: the language has words for all of it, so no layers are written", err=True)
        return
    try:
        with drafting(*files) as drafts:
            for draft, text in zip(drafts, files.values(), strict=True):
                draft.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")
    click.echo(f"{', '.join(files)}: `netdsl check` takes it by `--plugin {path}`", err=True)


def _write_weights(network: Network, path: str) -> None:
    if network.origin is None or network.origin.numbers is None:
        fail("the source has no weights to write")
    try:
        count = network.save_weights(path)
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")
    click.echo(f"{path}: {count} tensors", err=True)
