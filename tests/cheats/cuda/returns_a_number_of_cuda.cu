// expect: RUNTIME_ERROR
// because: \A(?!.*illegal memory).*returned -1700
// Returns what the runner of a GPU would for an illegal memory access.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args*, void*) { return -1700; }
