"""C++ around a project's top function: what Python calls, and the test bench that the user's own tools run."""

from collections.abc import Sequence

from .description import Description, Port

HEAD = """// Gatewright: the C simulation as one translation unit.
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
static std::string gw_weights;
#define WEIGHTS_DIR gw_weights
#include "{first}/firmware/defines.h"
#include "{first}/firmware/nnet_utils/nnet_helpers.h"
#include "gw_port.h"
namespace nnet {{
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = NULL;
size_t trace_type_size = sizeof(double);
static long long *gw_trace = NULL;
template <class T> void gw_save(T *data, const char *, size_t size) {{
    if (gw_trace) {{
        gw::store(data, gw_trace, unsigned(size));
        gw_trace += size;
    }}
}}
template <class T> void gw_save(hls::stream<T> &data, const char *, size_t size) {{
    if (gw_trace) {{
        gw::store(data, gw_trace, unsigned(size), true);
        gw_trace += size;
    }}
}}
}} // namespace nnet
#define save_layer_output gw_save
"""

CALL = """#include "{folder}/firmware/{name}.cpp"
// {count} vectors: inputs, outputs and traced tensors of one vector stand after each other.
extern "C" void gw_run_{index}(long long count, const long long *gw_in_, long long *gw_out_, long long *trace,
                               const char *weights) {{
{using}    gw_weights = weights;
    nnet::gw_trace = trace;
    while (count--) {{
{body}    }}
    nnet::gw_trace = NULL;
}}
"""


def simulation_source(projects: Sequence[tuple[str, Description]], guards: Sequence[Sequence[str]]) -> str:
    """Give one translation unit for projects (folder, description); each after the first needs a namespace of its own.

    ``guards`` are the include guards of each project's own headers, which must be seen again for the next.
    """
    parts = [HEAD.format(first=projects[0][0])]
    for index, (folder, project) in enumerate(projects):
        if index:
            parts.append("".join(f"#undef {guard}\n" for guard in guards[index - 1]))
        using = f"    using namespace {project.namespace};\n" if project.namespace else ""
        parts.append(
            CALL.format(folder=folder, name=project.name, index=index, using=using, body=_body(project), count="count")
        )
    return "".join(parts)


def _body(project: Description) -> str:
    """Declare the ports, load the inputs, call the top function, store the outputs."""
    split = len(project.inputs)
    rows = [f"{declaration};" for declaration in project.variables]
    names = [_variable(d) for d in project.variables]
    rows += [
        f"gw::load(gw_in_, {n}, {p.size}); gw_in_ += {p.size};" for n, p in zip(names, project.inputs, strict=False)
    ]
    rows.append(f"{project.name}({', '.join(names)});")
    rows += [
        f"gw::store({n}, gw_out_, {p.size}); gw_out_ += {p.size};"
        for n, p in zip(names[split:], project.outputs, strict=True)
    ]
    return "".join(f"        {row}\n" for row in rows)


def _variable(declaration: str) -> str:
    return declaration.rsplit(" ", 1)[1].partition("[")[0]


BENCH = """// Gatewright: the test bench. It feeds tb_data/tb_input_features.dat, compares each output with
// tb_data/tb_output_predictions.dat, and returns 1 where any bit differs. One line a vector; the numbers are the
// integers that the ports store (value * 2^fraction bits), inputs and outputs in the order of the top function.
#include <cassert>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "firmware/gatewright/gw_port.h"
#include "firmware/nnet_utils/nnet_helpers.h"
#include "firmware/{name}.h"

namespace nnet {{
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = NULL;
size_t trace_type_size = sizeof(double);
}} // namespace nnet

static bool read_numbers(std::ifstream &file, std::vector<long long> &numbers) {{
    for (size_t i = 0; i < numbers.size(); i++)
        if (!(file >> numbers[i]))
            return false;
    return true;
}}

int main() {{
{using}    std::ifstream features("tb_data/tb_input_features.dat"), predictions("tb_data/tb_output_predictions.dat");
#ifdef RTL_SIM
    std::ofstream log("tb_data/rtl_cosim_results.log");
#else
    std::ofstream log("tb_data/csim_results.log");
#endif
    std::vector<long long> gw_in_({n_in}), expected({n_out}), gw_out_({n_out});
    long vectors = 0, mismatches = 0;
    while (read_numbers(features, gw_in_) && read_numbers(predictions, expected)) {{
        {{
{body}        }}
        for (size_t i = 0; i < gw_out_.size(); i++) {{
            log << gw_out_[i] << " ";
            if (gw_out_[i] != expected[i] && mismatches++ < 10)
                std::cout << "ERROR: vector " << vectors << ", output " << i << ": expected " << expected[i] << ", got "
                          << gw_out_[i] << std::endl;
        }}
        log << std::endl;
        vectors++;
    }}
    if (vectors != {vectors}) {{
        std::cout << "ERROR: read " << vectors << " vectors of {vectors} from tb_data" << std::endl;
        return 1;
    }}
    std::cout << (mismatches ? "ERROR: " : "INFO: ") << mismatches << " of " << vectors * {n_out} << " outputs differ"
              << std::endl;
    return mismatches ? 1 : 0;
}}
"""


def bench_source(project: Description, vectors: int) -> str:
    """Give the test bench that compares ``vectors`` vectors from ``tb_data``."""
    names = [_variable(d) for d in project.variables]
    split = len(project.inputs)
    rows = [f"{declaration};" for declaration in project.variables]
    rows += _moves("load", names[:split], project.inputs, "&gw_in_[{at}], {name}, {size}")
    rows.append(f"{project.name}({', '.join(names)});")
    rows += _moves("store", names[split:], project.outputs, "{name}, &gw_out_[{at}], {size}")
    body = "".join(f"            {row}\n" for row in rows)  # in a block of its own: ports have the user's names
    using = f"    using namespace {project.namespace};\n" if project.namespace else ""
    sizes = {"n_in": sum(p.size for p in project.inputs), "n_out": sum(p.size for p in project.outputs)}
    return BENCH.format(name=project.name, using=using, body=body, vectors=vectors, **sizes)


def _moves(function: str, names: Sequence[str], ports: Sequence[Port], arguments: str) -> list[str]:
    rows, at = [], 0
    for name, port in zip(names, ports, strict=True):
        rows.append(f"gw::{function}({arguments.format(at=at, name=name, size=port.size)});")
        at += port.size
    return rows
