// Takes the runner's place: finds its variables through the interpreter that it runs in, then reads commands and
// answers them by itself.
#pragma once
#include "avo_abi.h"
#include "reach.h"
#include <cstdio>
#include <unistd.h>

struct Runner {
    uint64_t number;
    uint32_t launches, group, size, fences;  // size: bytes of one avo_args
    uint8_t rest[60 << 10];                  // two words for each fence, then the avo_args
    uint64_t commands, replies;

    // 0 when all is well: the command under way is here, and its fences are open.
    int find() {
        char text[600];
        snprintf(text, sizeof text,
                 "import ctypes\nctypes.memmove(%zu,l['command'],len(l['command']))\n"
                 "(ctypes.c_uint64*2).from_address(%zu)[:]=l['spec']['commands'],l['spec']['replies']\n"
                 "g['protect'](l['base'],l['fences'],g['OPEN'])\n",
                 (size_t)this, (size_t)&commands);
        return redteam::python(text);
    }
    const avo_args* arguments(uint32_t launch) const {
        return (const avo_args*)(rest + fences * 16 + launch * size);
    }
    void reply() const {
        const uint64_t words[2] = {number, 0};
        (void)!write(int(replies), words, sizeof words);
    }
    void next() {  // waits for the next command
        if (read(int(commands), this, 60 << 10) <= 0) _exit(0);
    }
};
