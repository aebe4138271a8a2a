// expect: COMPILE_ERROR
// because: undefined
// Names a variable that is not there.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) { return nothing; }
