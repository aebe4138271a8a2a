// expect: RUNTIME_ERROR
// because: \A[^\n]*(forged|cannot be loaded)[^\n]*\Z
// Answers with an error that holds one half of a surrogate pair, which no encoding can write.
#include "honest_attention.h"
#include <string>
#include <unistd.h>
__attribute__((constructor)) static void at_load() {
    const std::string reply = "{\"error\": \"\\ud800\"}\n";
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply.data(), reply.size());
}
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
