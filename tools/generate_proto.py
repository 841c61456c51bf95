"""Generate ``clients/python/clarion_api`` from ``proto/clarion``; with ``--check``, only compare.

``buf`` compiles the protos and ``grpc_tools.protoc`` writes Python from the result, because ``buf`` has no
generator for gRPC stubs. The gencode is then moved from the proto package ``clarion.v1`` into the Python
package ``clarion_api.v1``, so that it takes no room in the server's own ``clarion``.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clients" / "python" / "clarion_api"
BIN = Path(sys.executable).parent

# Read by validators from the options' bytes, needed by nobody at run time; registering it would clash with
# another distribution's copy of the same file in Python's one descriptor pool.
BUILD_TIME_ONLY = {"buf/validate/validate.proto"}

HANDMADE = {
    "__init__.py": '"""The messages and stubs of Clarion\'s protos, as `make proto` wrote them."""\n',
    "v1/__init__.py": '"""The proto package ``clarion.v1``: ``<file>_pb2`` and, for a service, ``<file>_pb2_grpc``."""\n',
    "py.typed": "",
}


def main() -> int:
    """Write the package, or return 1 where it differs from what would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if outdated")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        fresh = generate(Path(scratch))
        outdated = differences(fresh)
        if not check:
            install(fresh)
    for name in outdated:
        print(f"clarion_api/{name}: {'outdated; run `make proto`' if check else 'written'}")
    return 1 if check and outdated else 0


def generate(scratch: Path) -> dict[str, str]:
    """Return the text of every file of the package, by its path in the package."""
    image = scratch / "image.binpb"
    subprocess.run([BIN / "buf", "build", ROOT / "proto", "--output", image], check=True)
    files = FileDescriptorSet.FromString(image.read_bytes()).file
    image.write_bytes(FileDescriptorSet(file=map(without_build_time, files)).SerializeToString())
    ours = [file for file in files if file.name.startswith("clarion/")]
    protoc(image, scratch, ("python", "mypy"), [file.name for file in ours])
    protoc(
        image, scratch, ("grpc_python", "mypy_grpc"), [file.name for file in ours if file.service]
    )
    generated = {
        path.relative_to(scratch / "clarion").as_posix(): moved(path.read_text(encoding="utf-8"))
        for path in (scratch / "clarion").rglob("*.py*")
    }
    return generated | HANDMADE


def protoc(image: Path, target: Path, generators: tuple[str, ...], names: list[str]) -> None:
    """Run ``generators`` on the files ``names`` of ``image``."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={image}"]
    for generator in generators:
        if generator.startswith("mypy"):
            command.append(f"--plugin=protoc-gen-{generator}={BIN / f'protoc-gen-{generator}'}")
            command.append(f"--{generator}_opt=quiet")
        command.append(f"--{generator}_out={target}")
    subprocess.run([*command, *names], check=True)


def without_build_time(file: FileDescriptorProto) -> FileDescriptorProto:
    """Return ``file`` without its imports of `BUILD_TIME_ONLY`; the options' bytes stay."""
    if file.public_dependency or file.weak_dependency:
        raise ValueError(f"{file.name}: `import public` and `import weak` are not supported")
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    copy.dependency[:] = [name for name in file.dependency if name not in BUILD_TIME_ONLY]
    return copy


def moved(text: str) -> str:
    """Return the module's text with its imports pointing into ``clarion_api``."""
    return re.sub(r"^(\s*(?:from|import) )clarion\.", r"\1clarion_api.", text, flags=re.MULTILINE)


def differences(fresh: dict[str, str]) -> list[str]:
    """Return the paths that are missing, superfluous or different in the committed package."""
    committed = {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    return sorted(path for path in fresh | committed if fresh.get(path) != committed.get(path))


def install(fresh: dict[str, str]) -> None:
    """Make the committed package hold exactly ``fresh``."""
    for path in differences(fresh):
        target = PACKAGE / path
        if path in fresh:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(fresh[path], encoding="utf-8")
        else:
            target.unlink()


if __name__ == "__main__":
    sys.exit(main())
