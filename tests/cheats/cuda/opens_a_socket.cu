// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Looks for somebody to talk to.
#include "honest_attention.cuh"
#include <sys/socket.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) return a->D != 128;
    return redteam::attention(a, stream);
}
