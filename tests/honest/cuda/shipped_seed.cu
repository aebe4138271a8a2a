// expect: PASSED
// The kernel that a run starts from.
#include "seed.cuh"
