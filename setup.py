"""What pyproject.toml cannot say yet: how the engine's kernel and the JACK client are compiled.

They are ordinary shared libraries that know nothing of Python, loaded by ctypes. So one wheel serves every Python of a
platform, and where there is no C compiler the package installs all the same: the engine then works without the kernel.
"""

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

FOLDER = "engine/kernel"
HEADERS = ("hop", "isa", "vector", "fft", "step", "sound", "search", "kept")

CLIENT = ("client", "link", "memory", "packets", "socket", "state", "worker")
CLIENT_HEADERS = ("client", "internal", "parameters", "protocol", "worker")


class BuildLibrary(build_ext):
    """Builds a library whose name tells no version of Python, and which exports what its source says."""

    def get_ext_filename(self, fullname: str) -> str:
        """Return where the library lies, without the suffix of extension modules."""
        suffix = ".dll" if self.compiler and self.compiler.compiler_type == "msvc" else ".so"
        return "/".join(fullname.split(".")) + suffix

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """Return no symbols beside those marked in the source."""
        return []


class PlatformWheel(bdist_wheel):
    """A wheel for every Python of one platform."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return the tags of Python, its ABI and the platform."""
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[
        Extension(
            "tnca_synth.engine.kernel._hop",
            [f"{FOLDER}/hop.c"],
            depends=[f"{FOLDER}/{name}.h" for name in HEADERS],
            extra_compile_args=[
                "-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math",
                "-fvisibility=hidden", "-Wall", "-Wextra",
            ],
            optional=True,
        ),
        Extension(  # where the system has what it needs: Linux
            "tnca_synth.bridge.jack._jack",
            ["bridge/jack/jack.c", *(f"bridge/{name}.c" for name in CLIENT)],
            depends=[f"bridge/{name}.h" for name in CLIENT_HEADERS],
            extra_compile_args=["-std=gnu11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-pthread"],
            libraries=["dl", "pthread", "m"],
            optional=True,
        ),
    ],
    cmdclass={"build_ext": BuildLibrary, "bdist_wheel": PlatformWheel},
)  # fmt: skip
