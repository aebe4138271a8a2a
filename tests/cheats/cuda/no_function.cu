// expect: UNSUPPORTED
// because: exports no extern
// Exports its function under the name that C++ gives it.
#include "honest_attention.cuh"
int avo_launch_(const avo_args* a, void* stream) { return redteam::attention(a, stream); }
