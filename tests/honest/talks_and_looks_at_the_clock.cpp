// expect: PASSED
// Prints what it does and how long it took.
#include <cstdio>
#include <ctime>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(stderr, "S = %ld at %ld\n", long(a->S), long(now.tv_sec));
    puts("working");
    return redteam::attention(a);
}
