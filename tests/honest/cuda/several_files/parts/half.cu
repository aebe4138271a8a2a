// The heads of the first half.
#include "half.cuh"
int first_half(const avo_args* a, void* stream, int64_t half) { return redteam::attention<Own>(a, stream, 0, half); }
