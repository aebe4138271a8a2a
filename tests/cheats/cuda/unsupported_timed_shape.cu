// expect: UNSUPPORTED
// because: returned 1: unsupported case \(case s8k\)
// Declines the shape that it is slow in.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) { return a->S == 8192 ? 1 : redteam::attention(a, stream); }
