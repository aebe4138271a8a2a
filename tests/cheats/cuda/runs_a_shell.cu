// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Starts another program.
#include "honest_attention.cuh"
#include <cstdlib>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (system("exit 0") < 0) return 40;
    return redteam::attention(a, stream);
}
