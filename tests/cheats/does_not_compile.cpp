// expect: COMPILE_ERROR
// because: error: .*expected
// Misses a brace.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a);
