// expect: RUNTIME_ERROR
// because: forged reply
// Answers in advance, before the runner does.
#include <unistd.h>
#include "honest_attention.h"
static void answer() {
    const uint64_t reply[2] = {1, 0};
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply, sizeof reply);
}
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    answer();
    return 0;
}
