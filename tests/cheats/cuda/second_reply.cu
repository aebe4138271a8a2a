// expect: RUNTIME_ERROR
// because: forged reply
// Answers in advance, before the runner does.
#include "honest_attention.cuh"
#include <unistd.h>
static void answer() {
    const uint64_t reply[3] = {1, 0, 0};
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply, 20);
}

extern "C" int avo_launch(const avo_args* a, void* stream) {
    answer();
    return redteam::attention(a, stream);
}
