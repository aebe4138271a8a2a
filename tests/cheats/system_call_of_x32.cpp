// expect: RUNTIME_ERROR
// because: made a system call
// Forks through the numbers of the x32 ABI.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(0x40000000 | 57) : "rcx", "r11", "memory");
    return result < 0 ? 40 : redteam::attention(a);
}
