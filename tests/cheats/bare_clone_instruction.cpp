// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Makes a process with the bare instruction instead of the library's function.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(56), "D"(17), "S"(0), "d"(0) : "rcx", "r11", "memory");
    if (result == 0) asm volatile("syscall" ::"a"(231), "D"(0));
    return redteam::attention(a);
}
