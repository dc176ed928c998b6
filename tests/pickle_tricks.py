"""Pickles and archives made by hand, most of them to do harm."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

REFUSALS = (pickle.UnpicklingError, RuntimeError, EOFError)


def archive(pickled: bytes, records: dict[str, bytes] | None = None) -> bytes:
    """A file of `save` around any pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("archive/data.pkl", pickled)
        target.writestr("archive/version", "3\n")
        for name, content in (records or {}).items():
            target.writestr("archive/" + name, content)
    return file.getvalue()


# ---- pickles, by hand ----


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def stack_name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *args: bytes) -> bytes:
    return function + b"(" + b"".join(args) + b"tR"


def pickled(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


TOUCH = text("touch canary")
CODE = text("open('canary', 'w').close()")
STORAGE = b"((" + text("storage") + name("torch", "FloatStorage") + text("0") + text(
    "cpu") + b"K\x04tQ"
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
HOOKS = call(name("collections", "OrderedDict"))


def tensor_call(offset: bytes, size: bytes, stride: bytes, grad: bytes = b"\x89",
                hooks: bytes = HOOKS) -> bytes:
    return REBUILD + STORAGE + offset + size + stride + grad + hooks + b"tR"


def whole(value: int) -> bytes:
    return pickle.dumps(value, protocol=2)[2:-1]


GOOD = tensor_call(b"K\0", b"K\x04\x85", b"K\x01\x85")
ORDERED = call(name("collections", "OrderedDict"))

CALLS = {
    # functions that run commands or code
    "os.system": call(name("os", "system"), TOUCH),
    "posix.system": call(name("posix", "system"), TOUCH),
    "nt.system": call(name("nt", "system"), TOUCH),
    "os.popen": call(name("os", "popen"), TOUCH),
    "os.execv": call(name("os", "execv"), text("/bin/sh"), b"]"),
    "os.spawnlp": call(name("os", "spawnlp"), b"K\0", text("sh")),
    "pty.spawn": call(name("pty", "spawn"), text("sh")),
    "subprocess.Popen": call(name("subprocess", "Popen"), TOUCH),
    "subprocess.check_output": call(name("subprocess", "check_output"), TOUCH),
    "commands.getoutput": call(name("commands", "getoutput"), TOUCH),
    "builtins.eval": call(name("builtins", "eval"), CODE),
    "python 2 eval": call(name("__builtin__", "eval"), CODE),
    "builtins.exec": call(name("builtins", "exec"), CODE),
    "builtins.compile": call(name("builtins", "compile"), CODE, text("f"),
                             text("exec")),
    "builtins.open": call(name("builtins", "open"), text("canary"), text("w")),
    "io.open": call(name("io", "open"), text("canary"), text("w")),
    "io.FileIO": call(name("io", "FileIO"), text("canary"), text("w")),
    "builtins.__import__": call(name("builtins", "__import__"), text("os")),
    "builtins.getattr": call(name("builtins", "getattr"), b"]", text("append")),
    "builtins.setattr": call(name("builtins", "setattr"), b"]", text("a"), b"N"),
    "builtins.globals": call(name("builtins", "globals")),
    "builtins.vars": call(name("builtins", "vars")),
    "builtins.type": call(name("builtins", "type"), text("C"), b")", b"}"),
    "builtins.map": call(name("builtins", "map"), name("os", "system"), b"]"),
    "builtins.breakpoint": call(name("builtins", "breakpoint")),
    "builtins.input": call(name("builtins", "input")),
    "builtins.list": call(name("builtins", "list"), b")"),
    "importlib.import_module": call(name("importlib", "import_module"), text("os")),
    "runpy._run_code": call(name("runpy", "_run_code"), CODE, b"}"),
    "runpy.run_path": call(name("runpy", "run_path"), text("x.py")),
    "code.interact": call(name("code", "interact")),
    "pdb.run": call(name("pdb", "run"), CODE),
    "timeit.timeit": call(name("timeit", "timeit"), CODE),
    "cProfile.run": call(name("cProfile", "run"), CODE),
    "pip.main": call(name("pip", "main"), b"]"),
    "ctypes.CDLL": call(name("ctypes", "CDLL"), text("libc.so.6")),
    "ctypes.string_at": call(name("ctypes", "string_at"), b"K\0"),
    "pickle.loads": call(name("pickle", "loads"), b"C\x01."),
    "marshal.loads": call(name("marshal", "loads"), b"C\x01."),
    "functools.partial": call(name("functools", "partial"), name("os", "system")),
    "functools.reduce": call(name("functools", "reduce"), name("os", "system"), b"]"),
    "operator.attrgetter": call(name("operator", "attrgetter"), text("system")),
    "operator.methodcaller": call(name("operator", "methodcaller"), text("system")),
    "operator.itemgetter": call(name("operator", "itemgetter"), b"K\0"),
    "types.FunctionType": call(name("types", "FunctionType"), b"N", b"}"),
    "types.CodeType": call(name("types", "CodeType")),
    "copyreg._reconstructor": call(name("copy_reg", "_reconstructor"),
                                   name("builtins", "object"),
                                   name("builtins", "object"), b"N"),
    "copyreg.add_extension": call(name("copyreg", "add_extension"), text("os"),
                                  text("system"), b"K\x01"),
    "codecs.decode": call(name("_codecs", "decode"), text("x"), text("zip")),
    "codecs.open": call(name("codecs", "open"), text("canary"), text("w")),
    "a codec that unpacks": call(name("_codecs", "encode"), text("x"), text("zip")),
    "a codec that searches": call(name("_codecs", "encode"), text("x"), text("rot13")),
    "socket.socket": call(name("socket", "socket")),
    "webbrowser.open": call(name("webbrowser", "open"), text("http://127.0.0.1")),
    "urllib": call(name("urllib.request", "urlopen"), text("http://127.0.0.1")),
    "shutil.rmtree": call(name("shutil", "rmtree"), text(".")),
    "tempfile": call(name("tempfile", "mktemp")),
    "logging.config": call(name("logging.config", "fileConfig"), text("x")),
    "numpy": call(name("numpy.testing._private.utils", "runstring"), CODE, b"}"),
    "numpy.load": call(name("numpy", "load"), text("x")),
    "multiprocessing": call(name("multiprocessing.util", "spawnv_passfds"), b"N"),
    # the library's own functions
    "torch.load": call(name("torch", "load"), text("x")),
    "torch.save": call(name("torch", "save"), b"]", text("canary")),
    "tinytorch.load": call(name("tinytorch", "load"), text("x")),
    "tinytorch.save": call(name("tinytorch", "save"), b"]", text("canary")),
    "torch.hub": call(name("torch.hub", "load"), text("x")),
    "torch.jit": call(name("torch.jit.unsupported_tensor_ops", "execWrapper"), CODE),
    "torch._dynamo": call(name("torch._dynamo.guards", "GuardBuilder.get"), text("x")),
    "torch.zeros": call(name("torch", "zeros"), whole(1 << 40)),
    "nn.Linear": call(name("torch.nn.modules.linear", "Linear"), b"K\x01", b"K\x01"),
    "torch.Tensor": call(name("torch", "Tensor"), whole(1 << 40)),
    "torch.FloatStorage": call(name("torch", "FloatStorage"), whole(1 << 40)),
    "UntypedStorage": call(name("torch.storage", "UntypedStorage"), whole(1 << 40)),
    "a dtype": call(name("torch", "float32")),
    # calls of what is not a function
    "a number": call(b"K\x01", b"K\x01"),
    "a string": call(text("os.system"), TOUCH),
    "a tensor": call(GOOD, b"K\x01"),
    "arguments in a list": name("collections", "OrderedDict") + b"]R",
    "nested reduce": call(call(name("builtins", "getattr"), name("os", "path"),
                               text("system")), TOUCH),
    # names that lead on
    "dotted global": name("collections", "OrderedDict.fromkeys") + b"]\x85R",
    "dotted stack global": stack_name("collections", "OrderedDict.__init__"),
    "dotted way to os": stack_name("torch", "serialization.os.system"),
    "dotted class": stack_name("torch._utils",
                               "_rebuild_tensor_v2.__globals__.__getitem__"),
    "module of a module": stack_name("torch.os", "system"),
    "empty module": name("", "eval"),
    "name of numbers": b"K\x01K\x02\x93",
    "a name with a newline": stack_name("os\nsystem", "x"),
    # opcodes that plain data does not need
    "INST": b"(" + TOUCH + b"ios\nsystem\n",
    "OBJ": b"(" + name("os", "system") + TOUCH + b"o",
    "NEWOBJ": name("builtins", "object") + b")\x81",
    "NEWOBJ of a tensor": name("torch", "Tensor") + b")\x81",
    "NEWOBJ with arguments": name("collections", "OrderedDict") + b"]\x85\x81",
    "NEWOBJ_EX": name("collections", "OrderedDict") + b")}\x92",
    "EXT1": b"\x82\x01", "EXT2": b"\x83\x01\0", "EXT4": b"\x84\x01\0\0\0",
    "PERSID": b"Pstorage\n",
    "NEXT_BUFFER": b"\x97", "READONLY_BUFFER": b"C\x01a\x98",
    "text INT": b"I1\n", "text LONG": b"L" + b"9" * 5000 + b"L\n",
    "text STRING": b"S'a'\n", "POP": b"K\x01K\x020", "DUP": b"K\x012",
    "FROZENSET": b"(K\x01\x91", "BYTEARRAY8": b"\x96" + b"\xff" * 8,
    # state that is not a dict's
    "BUILD of a list": b"]}b",
    "BUILD of a dict": b"}}" + text("a") + b"K\x01sb",
    "BUILD of a function": REBUILD + b"}" + text("__code__") + b"Nsb",
    "BUILD of a class": name("torch", "Tensor") + b"}" + text("add") + b"Nsb",
    "BUILD of a tensor": GOOD + b"}" + text("data") + b"Nsb",
    "BUILD over a method": ORDERED + b"}" + text("items") + b"K\x01sb",
    "BUILD of __class__": ORDERED + b"}" + text("__class__") + name(
        "collections", "Counter") + b"sb",
    "BUILD of __reduce__": ORDERED + b"}" + text("__reduce__") + b"Nsb",
    "BUILD with slots": ORDERED + b"}}" + text("a") + b"K\x01s\x86b",
    "BUILD with numbers": ORDERED + b"}K\x01K\x01sb",
    # items of what is no container
    "APPEND to a tensor": GOOD + b"K\x01a",
    "APPENDS to a dict": b"}(K\x01e",
    "SETITEM of a list": b"]K\0K\x01s",
    "SETITEMS of a tensor": GOOD + b"(K\0K\x01u",
    "ADDITEMS to a list": b"](K\x01\x90",
    "SETITEMS without a value": b"}(K\x01u",
    # wrong arguments of known functions
    "bytearray of a size": call(name("builtins", "bytearray"), whole(1 << 40)),
    "bytearray of a list": call(name("builtins", "bytearray"), b"](K\x01e"),
    "a set of a string": call(name("builtins", "set"), text("abc")),
    "complex of a string": call(name("builtins", "complex"), text("1j")),
    "Size of text": call(name("torch", "Size"), b"(" + text("a") + b"t"),
    "device of a list": call(name("torch", "device"), b"]"),
    "device unknown": call(name("torch", "device"), text("moon")),
    "Counter of a list": call(name("collections", "Counter"), b"](K\x01e"),
    "OrderedDict of text": call(name("collections", "OrderedDict"), text("ab")),
    "OrderedDict of triples": call(name("collections", "OrderedDict"),
                                   b"](K\x01K\x01K\x01\x87e"),
    "Parameter of a number": call(name("torch.nn.parameter", "Parameter"), b"K\x01"),
    "_rebuild_parameter": call(name("torch._utils", "_rebuild_parameter"), b"K\x01",
                               b"\x88", b"N"),
    "a layout": call(name("torch.serialization", "_get_layout"), text("torch.load")),
    "type by function": call(
        name("torch._tensor", "_rebuild_from_type_v2"), name("builtins", "eval"),
        name("torch", "Tensor"), CODE + b"\x85", b"}"),
    "type by class": call(
        name("torch._tensor", "_rebuild_from_type_v2"),
        name("collections", "OrderedDict"), name("torch", "Tensor"), b")", b"}"),
    "type that is none": call(
        name("torch._tensor", "_rebuild_from_type_v2"), REBUILD,
        name("collections", "OrderedDict"), STORAGE[1:] + b"K\0))\x89Nt", b"}"),
    "attribute over a method": call(
        name("torch._utils", "_rebuild_parameter_with_state"), GOOD, b"\x88", b"N",
        b"}" + text("add") + b"K\x01s"),
    "attribute __class__": call(
        name("torch._utils", "_rebuild_parameter_with_state"), GOOD, b"\x88", b"N",
        b"}" + text("__class__") + b"K\x01s"),
    # tensors beyond their storage
    "size too large": tensor_call(b"K\0", b"K\x05\x85", b"K\x01\x85"),
    "stride too large": tensor_call(b"K\0", b"K\x02\x85", b"K\x04\x85"),
    "offset too large": tensor_call(b"K\x04", b"K\x01\x85", b"K\x01\x85"),
    "offset below zero": tensor_call(whole(-1), b"K\x01\x85", b"K\x01\x85"),
    "stride below zero": tensor_call(b"K\x03", b"K\x02\x85", whole(-1) + b"\x85"),
    "size below zero": tensor_call(b"K\0", whole(-4) + b"\x85", b"K\x01\x85"),
    "huge size": tensor_call(b"K\0", whole(1 << 62) + b"\x85", b"K\x01\x85"),
    "sizes that overflow": tensor_call(
        b"K\0", b"(" + whole(1 << 33) * 2 + b"t", b"K\0K\0\x86"),
    "expanded beyond counting": tensor_call(
        b"K\0", b"(" + whole(1 << 40) * 3 + b"t", b"K\0K\0K\0\x87"),
    "a size of bools": tensor_call(b"K\0", b"\x88\x85", b"K\x01\x85"),
    "a size of floats": tensor_call(b"K\0", b"G?\xf0" + b"\0" * 6 + b"\x85",
                                    b"K\x01\x85"),
    "too many dims": tensor_call(b"K\0", b"(" + b"K\x01" * 65 + b"t",
                                 b"(" + b"K\x01" * 65 + b"t"),
    "fewer strides": tensor_call(b"K\0", b"K\x02K\x02\x86", b"K\x01\x85"),
    "grad that is no bool": tensor_call(b"K\0", b"K\x04\x85", b"K\x01\x85", b"K\x02"),
    "no storage": call(REBUILD, text("storage"), b"K\0", b")", b")", b"\x89", b"N"),
    "too few arguments": call(REBUILD, b"K\0"),
    "no dtype": call(name("torch._utils", "_rebuild_meta_tensor_no_storage"), b"K\0",
                     b")", b")", b"\x89"),
    "huge meta": call(name("torch._utils", "_rebuild_meta_tensor_no_storage"),
                      name("torch", "float32"), whole(1 << 61) + b"\x85",
                      b"K\x01\x85", b"\x89"),
    # references to storages
    "another reference": b"(" + text("module") + b"tQ",
    "reference of a number": b"K\x01Q",
    "storage of a class": b"(" + text("storage") + name("collections", "Counter")
    + text("0") + text("cpu") + b"K\x01tQ",
    "a key outside": b"(" + text("storage") + name("torch", "FloatStorage")
    + text("../data.pkl") + text("cpu") + b"K\x01tQ",
    "a key of a number": b"(" + text("storage") + name("torch", "FloatStorage")
    + b"K\0" + text("cpu") + b"K\x01tQ",
    "more elements": b"(" + text("storage") + name("torch", "FloatStorage") + text("0")
    + text("cpu") + whole(1 << 40) + b"tQ",
    "elements below zero": b"(" + text("storage") + name("torch", "FloatStorage")
    + text("0") + text("cpu") + whole(-1) + b"tQ",
    "a place unknown": b"(" + text("storage") + name("torch", "FloatStorage")
    + text("0") + text("moon") + b"K\x01tQ",
    # lengths that lie
    "a long string": b"X\xff\xff\xff\x7fabc", "a longer one": b"\x8d" + b"\xff" * 8,
    "long bytes": b"B\xff\xff\xff\xffabc", "long frame": b"\x95" + b"\xff" * 8,
    "long long": b"\x8a\xff\x01",
    # the machine itself
    "empty stack": b"", "no mark": b"t", "no memo": b"h\x07", "tuple of none": b"\x87",
    "a mark left": b"(K\x01", "objects left": b"K\x01K\x02",
    "protocol 9": b"\x80\x09N", "protocol 0": b"\x80\x00N",
    "reduce of nothing": b"R", "no object to build": b"}b",
    "a list as key": b"}]K\x01s", "a dict in a set": call(name("builtins", "set"),
                                                          b"](}e"),
    "a list in a key": b"}]\x85K\x01s",
}
