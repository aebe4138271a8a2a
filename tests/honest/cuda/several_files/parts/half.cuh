// What both units need.
#pragma once
#include "honest_attention.cuh"
struct Own : redteam::Honest {
    static constexpr int KEYS = 32;
};
int first_half(const avo_args* a, void* stream, int64_t half);
