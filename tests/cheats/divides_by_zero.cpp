// expect: RUNTIME_ERROR
// because: SIGFPE
// Divides an integer by zero.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    int zero = 0, one = 1;
    asm volatile("" : "+r"(zero), "+r"(one));
    return one / zero + redteam::attention(a);
}
