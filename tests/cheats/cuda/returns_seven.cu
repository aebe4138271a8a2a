// expect: RUNTIME_ERROR
// because: returned 7
// Fails with a code of its own.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention(a, stream) + 7; }
