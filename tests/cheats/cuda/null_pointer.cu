// expect: RUNTIME_ERROR
// because: SIGSEGV
// Crashes its process.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) {
    *(volatile int*)8 = 1;
    return redteam::attention(a, stream);
}
