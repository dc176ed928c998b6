"""PyTorch's names that tinytorch does not have, and why: patterns of dotted names.

Who asks for one is told the reason; docs/differences.md lists them all.
"""

from __future__ import annotations

import fnmatch
import functools
import re

__all__ = ["ABSENT", "no_attribute", "reason"]

ABSENT: tuple[tuple[str, str], ...] = (
    ("there are no complex numbers", """
        complex32 complex64 complex128 chalf cfloat cdouble polar stft istft
        view_as_complex_copy view_as_real_copy ComplexType fft.*fft fft.*fft2 fft.*fftn
        """),
    ("there are no sparse tensors", """
        sparse_* sparse sparse.* resize_as_sparse_ *_indices_copy indices_copy
        values_copy smm hsmm dsmm hspmm spmm saddmm sspaddmm
        """),
    ("there are no quantised tensors", """
        quantize_* quantized_* q_* qint* quint* qscheme int_repr dequantize
        empty_quantized choose_qparams_optimized fake_quantize_* fbgemm_*
        fused_moving_avg_obs_fake_quant ao ao.* quantization quantization.* nn.intrinsic
        nn.qat nn.quantizable nn.quantized backends.quantized
        """),
    ("the dtypes are float16 to float64, bfloat16, int8 to int64, uint8 and bool", """
        uint16 uint32 uint64 int[1-7] uint[1-7] bit bits* float8_* float4_*
        """),
    ("there are no nested tensors", "nested nested.* jagged"),
    ("nothing is compiled or traced; `tinytorch.capture` replays a step", """
        compile compiler compiler.* jit jit.* fx fx.* export export.* onnx onnx.* cond
        while_loop library library.* ops ops.* classes _dynamo _dynamo.* sym_* Sym* vmap
        func.* nn.attention.flex_attention
        """),
    ("a trace or a script of PyTorch's, which there is not", """
        Type [A-Z]*Type AliasDb Argument ArgumentSpec Block BufferDict CallStack Capsule
        Code CompilationUnit CompleteArgumentSpec ConcreteModuleTypeBuilder
        DeepCopyMemoTable DeserializationStorageContext ErrorReport ExecutionPlan
        FileCheck FunctionSchema Future Gradient Graph GraphExecutorState IODescriptor
        JITException LiteScriptModule ModuleDict Node OperatorInfo ParameterDict
        PyTorchFileReader PyTorchFileWriter Script* SerializationStorageContext
        StaticModule TracingState Use Value fork wait import_ir_module* merge_type_from*
        parse_ir parse_schema parse_type_comment unify_type_list
        """),
    ("ops do not cast by themselves: `autocast` has to be off", """
        autocast_*_nesting clear_autocast_cache get_autocast_*_dtype
        is_autocast_*_enabled set_autocast_*
        """),
    ("there is one process and one device", """
        distributed.* futures futures.* multiprocessing multiprocessing.*
        nn.parallel.DistributedDataParallel nn.parallel.gather nn.parallel.replicate
        nn.parallel.scatter nn.parallel.parallel_apply get_device_module Stream Event
        AcceleratorError OutOfMemoryError is_distributed xpu xpu.* mtia mtia.* mps cpu
        """),
    ("a kernel of a back end that tinytorch does not use", """
        cudnn_* miopen_* mkldnn_* native_*norm batch_norm_* is_vulkan_available
        nn.functional.grouped_mm nn.functional.scaled_mm nn.functional.ScalingType
        nn.functional.scaled_grouped_mm nn.functional.SwizzleType nn.attention.*_impl
        nn.attention.*_impls nn.attention.WARN_FOR_UNFUSED_KERNELS backends.cpu
        backends.cusparselt backends.kleidiai backends.mha backends.miopen
        backends.nnpack backends.python_native
        """),
    ("what a module calls: the modules and `nn.functional` are there", """
        lstm gru rnn_relu rnn_tanh lstm_cell gru_cell rnn_*_cell embedding_bag
        convolution conv_tbc frobenius_norm nuclear_norm nonzero_static slice_copy
        slice_inverse as_strided_ negative_ hash_tensor segment_reduce lobpcg
        """),
    ("an internal of PyTorch's", """
        SUM AVG AggregationType Benchmark* DisableTorchFunction* DispatchKey* Tag
        ExcludeDispatchKeyGuard FatalError LockingLogger NoopLogger ThroughputBenchmark
        cpp init_num_threads set_anomaly_enabled has_lapack has_mkl has_openmp
        has_spectral from_file nn.functional.*_notes nn.functional.has_torch_function*
        nn.functional.GRID_SAMPLE_* nn.functional.assert_int_or_pair overrides.*
        linalg.common_notes fft.Tensor utils.dlpack.DLDeviceType thread_safe_generator
        random.thread_safe_generator serialization.SourceChangeWarning
        serialization.StorageType serialization.mkdtemp serialization.validate_*
        serialization.check_module_version_greater_or_equal
        serialization.normalize_storage_type serialization.storage_to_tensor_type
        utils.backcompat utils.collect_env utils.deterministic utils.weak
        utils.*backend_registration utils.*privateuse1_backend utils.*cpp_backtrace
        utils.throughput_benchmark utils.ThroughputBenchmark utils.set_module
        utils.cmake_prefix_path utils.checkpoint.DefaultDeviceType
        utils.checkpoint.GraphExecGroup utils.hooks.BackwardHook
        utils.hooks.unserializable_hook utils.hooks.warn_if_has_hooks
        """),
    ("storages have no dtype; `untyped_storage` gives one", "[A-SV-Z]*Storage"),
    ("nodes keep what they save in attributes that hooks cannot see", """
        autograd.graph.disable_saved_tensors_hooks autograd.graph.get_gradient_edge
        autograd.graph.allow_mutation_on_saved_tensors autograd.graph.GradientEdge
        autograd.graph.region_activation_memory_budget autograd.graph.set_*_mismatch
        autograd.graph.set_override_stale_capture_stream
        autograd.set_multithreading_enabled autograd.enforce_grad_layout_policy
        autograd.NestedIOFunction utils.checkpoint.CheckpointFunction
        utils.checkpoint.CheckpointPolicy utils.checkpoint.SelectiveCheckpointContext
        utils.checkpoint.create_selective_checkpoint_contexts
        utils.checkpoint.SAC_IGNORED_OPS utils.checkpoint.*_device_states
        utils.checkpoint.set_checkpoint_* utils.checkpoint.check_backward_validity
        utils.checkpoint.detach_variable
        """),
    ("derivatives go backward; `autograd.functional.jvp` takes two of them", """
        autograd.forward_ad autograd.forward_ad.*
        """),
    ("`tinytorch.profiler` counts and times what runs", """
        autograd.profiler autograd.profiler.* profiler.*
        """),
    ("two tensors cannot exchange what they are", "utils.swap_tensors"),
    ("data without bytes cannot be written", "serialization.skip_data"),
    ("PyTorch deprecates its data pipes; a DataLoader takes any iterable", """
        utils.data.*DataPipe utils.data.*DataPipe* utils.data.DataChunk
        utils.data.argument_validation utils.data.functional_datapipe
        utils.data.guaranteed_datapipes_determinism utils.data.non_deterministic
        utils.data.runtime_validation utils.data.runtime_validation_disabled
        """),
    ("nothing is fetched from a hub", "hub hub.*"),
)


@functools.cache
def _rows() -> list[tuple[str, re.Pattern[str]]]:
    """Return each reason with one pattern for all its names."""
    return [
        (why, re.compile("|".join(map(fnmatch.translate, patterns.split()))))
        for why, patterns in ABSENT
    ]


def reason(name: str) -> str | None:
    """Return why there is no ``torch.<name>``; None if no reason is known."""
    return next((why for why, pattern in _rows() if pattern.match(name)), None)


def no_attribute(module: str, name: str, why: str | None) -> AttributeError:
    """Return the error for a name that a module does not have."""
    text = f"module {module!r} has no attribute {name!r}"
    return AttributeError(f"{text}: {why}" if why else text)
