"""What an Android app needs: the library where Gradle looks for it, a class in Kotlin, and C between the two."""

from math import prod

from ....graph import Graph, Node
from ...loops.layout import interface_type
from ...loops.program import Program
from ...loops.widths import WIDTHS
from ..build import Built

ABIS = {"aarch64": "arm64-v8a", "armv7": "armeabi-v7a", "x86_64": "x86_64", "riscv64": "riscv64"}

JNI = """\
/* Between {class_name}.kt and lib{name}.so; to be compiled with the NDK (CMakeLists.txt beside this file). */

#include <jni.h>
#include <stdint.h>
#include "{name}.h"

JNIEXPORT jint JNICALL Java_gatewright_{class_name}_call(JNIEnv *env, jclass self, jobjectArray buffers)
{{
    void *pointers[{count}];
    (void)self;
    for (int i = 0; i < {count}; i++) {{
        jobject buffer = (*env)->GetObjectArrayElement(env, buffers, i);
        pointers[i] = (*env)->GetDirectBufferAddress(env, buffer);
        (*env)->DeleteLocalRef(env, buffer);
        if (!pointers[i]) return -1;
    }}
    /* the arena is the last one, with room to align it */
    uintptr_t arena = (uintptr_t)pointers[{last}];
    pointers[{last}] = (void *)((arena + {upper}_ALIGNMENT - 1) / {upper}_ALIGNMENT * {upper}_ALIGNMENT);
    return {name}_run_bound(pointers);
}}
{jni_begin}"""
JNI_BEGIN = """
JNIEXPORT void JNICALL Java_gatewright_{class_name}_begin(JNIEnv *env, jclass self, jobject buffer)
{{
    uintptr_t arena = (uintptr_t)(*env)->GetDirectBufferAddress(env, buffer);
    (void)self;
    {name}_init((void *)((arena + {upper}_ALIGNMENT - 1) / {upper}_ALIGNMENT * {upper}_ALIGNMENT));
}}
"""
RESET = """
    init {
        reset()
    }

    /** Lets the network begin anew; each object is a stream of its own. */
    fun reset() = begin(arena)
"""
BEGIN = """
        @JvmStatic
        private external fun begin(arena: ByteBuffer)
"""
"""What networks that remember have beside the others."""
KOTLIN = """\
package gatewright

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The network {name}: write [inputs], call [run], read [outputs].
 *
 * The buffers hold the library's own numbers; {name}.h says what they mean. One object serves one call at a time.
 */
class {class_name} {{
{inputs}
{outputs}

    private val arena = direct({arena} + {alignment})
    private val buffers = arrayOf({buffers}, arena)
{reset}
    /** Runs once. Gives 0, 1 where an index lay outside of what it picks from, 2 where a divisor was zero. */
    fun run(): Int = call(buffers)

    companion object {{
        init {{
            System.loadLibrary("{name}_jni")
        }}

        private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        @JvmStatic
        private external fun call(buffers: Array<ByteBuffer>): Int
{begin}    }}
}}
"""
CMAKE = """\
# For externalNativeBuild in build.gradle: makes lib{name}_jni.so, which calls lib{name}.so.
cmake_minimum_required(VERSION 3.18)
project({name}_jni LANGUAGES C)
add_library({name} SHARED IMPORTED)
set_target_properties({name} PROPERTIES
  IMPORTED_LOCATION "${{CMAKE_CURRENT_LIST_DIR}}/../jniLibs/${{ANDROID_ABI}}/lib{name}.so")
add_library({name}_jni SHARED {name}_jni.c)
target_include_directories({name}_jni PRIVATE "${{CMAKE_CURRENT_LIST_DIR}}")
target_link_libraries({name}_jni PRIVATE {name})
"""
README = """\
# {name} for Android ({abi})

| file | state |
|---|---|
| `jniLibs/{abi}/lib{name}.so` | finished: compiled for {triple}, pages of 16 KiB |
| `jni/{name}.h` | finished: what the library offers |
| `jni/{name}_jni.c`, `jni/CMakeLists.txt` | source: **the NDK has to compile it** to `lib{name}_jni.so` |
| `kotlin/gatewright/{class_name}.kt` | source: the app's build compiles it |

In the app's module:

1. Copy `jniLibs` to `src/main/jniLibs`, `jni` to `src/main/jni`, `kotlin/gatewright` to `src/main/java/gatewright`.
2. In `build.gradle.kts`:

       android {{
           defaultConfig {{ ndk {{ abiFilters += "{abi}" }} }}
           externalNativeBuild {{ cmake {{ path = file("src/main/jni/CMakeLists.txt") }} }}
       }}

3. In Kotlin:

       val network = gatewright.{class_name}()
       network.in0.put(0, ...)
       check(network.run() == 0)
       network.out0.get(0)

The folder beside `jni` has to be called `jniLibs`, as it is here. Code that reads the buffers as other numbers than
bytes uses `asShortBuffer()`, `asIntBuffer()`, `asFloatBuffer()`.
"""


def package(name: str, built: Built, program: Program, graph: Graph) -> dict[str, bytes]:
    """Give the folder ``jniLibs``, the sources of the Java interface, and what the NDK must finish in a README."""
    sides = {"in": graph.inputs, "out": graph.outputs}
    ports = [f"{side}{i}" for side, nodes in sides.items() for i in range(len(nodes))]
    words = {
        "name": name, "upper": name.upper(), "class_name": class_name(name), "abi": ABIS[built.platform.machine],
        "triple": program.machine.triple, "count": len(ports) + 1, "last": len(ports), "arena": max(program.arena, 1),
        "alignment": 64, "buffers": ", ".join(ports),
        "inputs": "\n".join(_buffer(f"in{i}", node) for i, node in enumerate(graph.inputs)),
        "outputs": "\n".join(_buffer(f"out{i}", node) for i, node in enumerate(graph.outputs)),
    }  # fmt: skip
    kept = bool(program.residents)
    words |= {"reset": RESET * kept, "begin": BEGIN * kept, "jni_begin": (JNI_BEGIN * kept).format(**words)}
    texts = {
        f"jni/{name}_jni.c": JNI, f"kotlin/gatewright/{words['class_name']}.kt": KOTLIN, "jni/CMakeLists.txt": CMAKE,
        "README.md": README,
    }  # fmt: skip
    files = {path: text.format(**words).encode() for path, text in texts.items()}
    return files | {f"jniLibs/{words['abi']}/lib{name}.so": built.shared, f"jni/{name}.h": built.header}


def class_name(name: str) -> str:
    """Give the name of a class: no underscores, which Java's names of C functions spell in another way."""
    return "".join(word.capitalize() for word in name.split("_")) or "Network"


def _buffer(port: str, node: Node) -> str:
    dtype = interface_type(node)
    size = prod(node.shape) * WIDTHS[dtype] // 8
    return f"    val {port}: ByteBuffer = direct({size}) // {prod(node.shape)} of {dtype}"


__all__ = ["package"]
