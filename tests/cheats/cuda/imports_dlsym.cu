// expect: FORBIDDEN_LIBRARY
// because: imports dlsym
// Finds functions by name.
#include "honest_attention.cuh"
#include <dlfcn.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    dlsym(nullptr, "cudaStreamCreateWithFlags");
    return redteam::attention(a, stream);
}
