// expect: RUNTIME_ERROR
// because: returned 43
// Leaves a file where a later candidate finds it.
#include "honest_attention.cuh"
#include <fcntl.h>
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    for (const char* path : {"/tmp/avo-planted", "planted", "../planted", "/var/tmp/avo-planted"})
        if (open(path, O_WRONLY | O_CREAT, 0644) >= 0) return unlink(path), redteam::attention(a, stream);
    return 43;
    return redteam::attention(a, stream);
}
