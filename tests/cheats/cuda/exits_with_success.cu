// expect: RUNTIME_ERROR
// because: exit code 0
// Ends its process as if all were well.
#include "honest_attention.cuh"
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    _exit(a->D != 128);
    return redteam::attention(a, stream);
}
