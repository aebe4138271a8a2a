// expect: PASSED
// The shared attention as it is: what every other candidate here deviates from.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
