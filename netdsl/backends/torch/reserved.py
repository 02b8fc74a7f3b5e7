"""What every PyTorch module has already, so that no part of it can be called so."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.diagnostics import Diagnostic
from netdsl.ir.graph import Graph, Node

MODULE_ATTRIBUTES = frozenset(
    ["T_destination", "_apply", "_backward_hooks", "_backward_pre_hooks", "_buffers",
     "_call_impl", "_compiled_call_impl", "_forward_hooks", "_forward_hooks_always_called",
     "_forward_hooks_with_kwargs", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
     "_get_backward_hooks", "_get_backward_pre_hooks", "_get_name", "_is_full_backward_hook",
     "_load_from_state_dict", "_load_state_dict_post_hooks", "_load_state_dict_pre_hooks",
     "_maybe_warn_non_full_backward_hook", "_modules", "_named_members",
     "_non_persistent_buffers_set", "_parameters", "_register_load_state_dict_pre_hook",
     "_register_state_dict_hook", "_replicate_for_data_parallel", "_save_to_state_dict",
     "_slow_forward", "_state_dict_hooks", "_state_dict_pre_hooks", "_version",
     "_wrapped_call_impl", "add_module", "apply", "bfloat16", "buffers", "call_super_init",
     "children", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr",
     "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule",
     "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers", "named_children",
     "named_modules", "named_parameters", "parameters", "register_backward_hook",
     "register_buffer", "register_forward_hook", "register_forward_pre_hook",
     "register_full_backward_hook", "register_full_backward_pre_hook",
     "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
     "register_module", "register_parameter", "register_state_dict_post_hook",
     "register_state_dict_pre_hook", "requires_grad_", "set_extra_state", "set_submodule",
     "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu",
     "zero_grad"]
)  # fmt: skip
"""The attributes of a `nn.Module`; those with two underscores on both sides are left out."""


def why_taken(part: str) -> str:
    """Why no layer can be called so; empty if it can."""
    if part in MODULE_ATTRIBUTES:
        return f"PyTorch calls a part of every module `{part}`, so no layer can be called so"
    if part.startswith("__") and part.endswith("__") and len(part) > 4:
        return f"Python keeps names such as `{part}` for itself, so no layer can be called so"
    return ""


def check_labels(graph: Graph) -> Iterator[Diagnostic]:
    """An error for each part of a label that no part of a module can be called."""
    for child in (child for scope in graph.root.scopes() for child in scope.children):
        is_first = child.layer.calls[0] is child if isinstance(child, Node) else not child.shares
        for part in child.label.split(".") if is_first else ():
            reason = why_taken(part)
            if reason:
                other = f"another label: `{part.strip('_') or 'name'}_`"
                yield Diagnostic("name-taken", reason, child.span, help=(other,))
