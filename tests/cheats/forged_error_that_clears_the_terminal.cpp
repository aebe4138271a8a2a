// expect: RUNTIME_ERROR
// because: \A[^\n\x1b\r]*(forged|cannot be loaded)[^\n\x1b\r]*\Z
// Answers with an error that holds control characters.
#include "honest_attention.h"
#include <string>
#include <unistd.h>
__attribute__((constructor)) static void at_load() {
    const std::string reply = "{\"error\": \"\\u001b[2J\\rPASSED\"}\n";
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply.data(), reply.size());
}
extern "C" int avo_launch(const avo_args* a, void*) { return redteam::attention(a); }
