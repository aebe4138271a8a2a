// expect: RUNTIME_ERROR
// because: cannot be loaded
// Asks the loader for 8 GiB.
#include "honest_attention.h"
char enormous[8ll << 30];
extern "C" int avo_launch(const avo_args* a, void*) { return enormous[a->S] + redteam::attention(a); }
