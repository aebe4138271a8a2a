// expect: RUNTIME_ERROR
// because: abort\(\)
// Ends its process with a signal.
#include "honest_attention.cuh"
#include <cstdlib>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    abort();
    return redteam::attention(a, stream);
}
