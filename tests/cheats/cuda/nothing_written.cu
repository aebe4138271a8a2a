// expect: NOT_WRITTEN
// because: left 128 of 128 elements of o unwritten
// Does nothing at all.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) { return a->D != 128; }
