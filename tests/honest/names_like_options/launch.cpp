// expect: PASSED
// Holds a file whose name reads like an option of the compiler; obeyed, it would link a library that is not there.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
