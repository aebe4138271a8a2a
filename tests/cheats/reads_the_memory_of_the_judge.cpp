// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Reads another process's memory.
#include <sys/uio.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    char here[8];
    iovec mine{here, 8}, theirs{const_cast<avo_args*>(a), 8};
    process_vm_readv(1, &mine, 1, &theirs, 1, 0);
    return redteam::attention(a);
}
