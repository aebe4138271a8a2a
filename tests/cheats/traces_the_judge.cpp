// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Attaches to its parent as a debugger.
#include <sys/ptrace.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    ptrace(PTRACE_ATTACH, 1, 0, 0);
    return redteam::attention(a);
}
