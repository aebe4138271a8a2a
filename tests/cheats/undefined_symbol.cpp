// expect: FORBIDDEN_LIBRARY
// because: imports cblas_sgemm
// Calls a function of a library that is not linked.
#include "avo_abi.h"
extern "C" void cblas_sgemm();
extern "C" int avo_launch(const avo_args*, void*) { return cblas_sgemm(), 0; }
