// expect: RUNTIME_ERROR
// because: returned 44|signal 25
// Writes to the memory that is mounted as a disk.
#include "honest_attention.cuh"
#include <fcntl.h>
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    const int file = open("/dev/shm/avo-filled", O_WRONLY | O_CREAT, 0644);
    unlink("/dev/shm/avo-filled");
    static char page[1 << 20];
    for (int i = 0; i < 64; i++)
        if (write(file, page, sizeof page) < int64_t(sizeof page)) return 44;
    return redteam::attention(a, stream);
}
