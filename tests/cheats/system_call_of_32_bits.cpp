// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Forks through the entry point of 32-bit programs, where numbers mean something else.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    int result;
    asm volatile("int $0x80" : "=a"(result) : "a"(2) : "memory");
    return redteam::attention(a);
}
