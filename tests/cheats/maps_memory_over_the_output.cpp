// expect: NOT_WRITTEN
// because: unwritten
// Replaces the pages of the output by private ones.
#include <sys/mman.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    mmap((void*)(uintptr_t(a->o) & ~4095ull), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return redteam::attention(a);
}
