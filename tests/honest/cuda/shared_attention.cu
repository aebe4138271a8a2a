// expect: PASSED
// What every other candidate of the red team is made of.
#include "honest_attention.cuh"
extern "C" int avo_launch(const avo_args* a, void* stream) { return redteam::attention(a, stream); }
