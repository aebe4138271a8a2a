// expect: COMPILE_ERROR
// because: File size|limit|too large|memory|final link|error
// Writes a library of 1 GiB.
#include "honest_attention.h"
char enormous[1 << 30] = {1};
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
