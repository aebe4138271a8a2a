// expect: RUNTIME_ERROR
// because: forged reply
// Writes a reply to every descriptor and ends its process.
#include "honest_attention.cuh"
#include <unistd.h>
static void answer() {
    const uint64_t reply[3] = {1, 0, 0};
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply, 20);
}

extern "C" int avo_launch(const avo_args* a, void* stream) {
    answer();
    _exit(a->D != 128);
    return redteam::attention(a, stream);
}
