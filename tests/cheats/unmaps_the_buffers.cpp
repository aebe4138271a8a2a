// expect: RUNTIME_ERROR
// because: SIGSEGV|SIGBUS
// Unmaps the pages of its output before it writes them.
#include <sys/mman.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    munmap((void*)(uintptr_t(a->o) & ~4095ull), 4096);
    return redteam::attention(a);
}
