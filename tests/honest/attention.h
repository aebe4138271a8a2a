// Causal attention for the red team: right as `attention<>()`, and wrong in one respect for each hook of
// Honest that a candidate hides with its own. Rows of ROWS queries walk tiles of KEYS keys (online softmax).
#pragma once
#include "avo_abi.h"
#include <bit>
#include <cmath>
#include <cstring>

namespace redteam {
constexpr int D = 128, ROWS = 4, KEYS = 64, LANES = 16;
typedef float vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

inline float widen(avo_bf16 x) { return std::bit_cast<float>(uint32_t(x) << 16); }
inline avo_bf16 narrow(float f) {  // round to nearest, ties to even
    const uint32_t bits = std::bit_cast<uint32_t>(f);
    return avo_bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline float rounded(float f) { return widen(narrow(f)); }  // to bf16 and back
inline int64_t elements(const avo_args* a) { return a->B * a->S * a->H * a->D; }
inline vec& at(float* p) { return *reinterpret_cast<vec*>(p); }

struct Honest {
    static float scale(const avo_args* a) { return a->scale; }
    static int64_t visible(const avo_args*, int64_t i) { return i + 1; }  // keys that row i sees
    static bool skips(const avo_args*, int64_t, int64_t) { return false; }  // row i0, key j0: leave this tile out
    static float score(float s) { return s; }
    static float maximum(float before, float now) { return now > before ? now : before; }
    static float shrink(float factor) { return factor; }  // of sum and accumulator when the maximum grows
    static float weight(float p) { return p; }
    static float accumulator(float x) { return x; }  // after each tile
    static float start(const avo_args*) { return 0; }  // of the accumulator
    static int64_t kv_head(const avo_args*, int64_t h) { return h; }
    static int64_t v_batch(const avo_args*, int64_t b) { return b; }
    static float result(float x, int64_t) { return x; }  // of row i
};

inline float exponential(float x) {  // x <= 88; 2^n * 2^f with |f| <= 1/2
    float y = x * 1.44269504f;
    y = y < -126.f ? -126.f : y;
    const float n = (y + 12582912.f) - 12582912.f, f = y - n;
    float p = 0.00961813f + f * (0.00133336f + f * 0.00015404f);
    p = 1.f + f * (0.69314718f + f * (0.24022651f + f * (0.05550411f + f * p)));
    return y <= -126.f ? 0.f : p * std::bit_cast<float>((int32_t(n) + 127) << 23);
}

template <class How>
void rows(const avo_args* a, const avo_bf16* q, const float* wk, const float* wv, avo_bf16* o, int64_t i0, int count) {
    const int64_t stride = a->H * D;
    alignas(64) float rq[ROWS][D] = {}, acc[ROWS][D], s[ROWS][KEYS], m[ROWS], l[ROWS] = {};
    for (int r = 0; r < ROWS; r++) {
        m[r] = -INFINITY;
        for (int d = 0; d < D; d++) acc[r][d] = How::start(a);
    }
    for (int r = 0; r < count; r++)
        for (int d = 0; d < D; d++) rq[r][d] = widen(q[(i0 + r) * stride + d]) * How::scale(a);
    for (int64_t j0 = 0; j0 < How::visible(a, i0 + count - 1); j0 += KEYS) {
        if (How::skips(a, i0, j0)) continue;
        vec c[ROWS][KEYS / LANES] = {};
        for (int d = 0; d < D; d++)
            for (int j = 0; j < KEYS / LANES; j++)
                for (int r = 0; r < ROWS; r++) c[r][j] += rq[r][d] * at(const_cast<float*>(wk) + j0 * D + d * KEYS + j * LANES);
        for (int r = 0; r < ROWS; r++) {
            for (int j = 0; j < KEYS / LANES; j++) at(&s[r][j * LANES]) = c[r][j];
            const int64_t seen = How::visible(a, i0 + r) - j0;
            float now = -INFINITY, sum = 0;
            for (int j = 0; j < KEYS; j++) {
                s[r][j] = j < seen ? How::score(s[r][j]) : -INFINITY;
                now = s[r][j] > now ? s[r][j] : now;
            }
            now = How::maximum(m[r], now);
            if (now == -INFINITY) now = 0;  // nothing seen yet
            const float factor = How::shrink(exponential(m[r] - now));
            m[r] = now;
            for (int j = 0; j < KEYS; j++) s[r][j] = How::weight(exponential(s[r][j] - now));
            for (int j = 0; j < KEYS; j++) sum += s[r][j];
            l[r] = How::accumulator(l[r] * factor + sum);
            for (int d = 0; d < D; d++) acc[r][d] *= factor;
        }
        for (int d = 0; d < D; d += 2 * LANES) {
            vec x[ROWS], y[ROWS];
            for (int r = 0; r < ROWS; r++) x[r] = at(&acc[r][d]), y[r] = at(&acc[r][d + LANES]);
            for (int j = 0; j < KEYS; j++)
                for (int r = 0; r < ROWS; r++) {
                    x[r] += s[r][j] * at(const_cast<float*>(wv) + (j0 + j) * D + d);
                    y[r] += s[r][j] * at(const_cast<float*>(wv) + (j0 + j) * D + d + LANES);
                }
            for (int r = 0; r < ROWS; r++) at(&acc[r][d]) = x[r], at(&acc[r][d + LANES]) = y[r];
        }
        for (int r = 0; r < ROWS; r++)
            for (int d = 0; d < D; d++) acc[r][d] = How::accumulator(acc[r][d]);
    }
    for (int r = 0; r < count; r++)
        for (int d = 0; d < D; d++) o[(i0 + r) * stride + d] = narrow(How::result(acc[r][d] / l[r], i0 + r));
}

// Heads first .. last-1 of the B * H.
template <class How = Honest>
int attention(const avo_args* a, int64_t first = 0, int64_t last = INT64_MAX) {
    if (a->D != D) return 1;
    const int64_t stride = a->H * D, padded = (a->S + KEYS - 1) / KEYS * KEYS;
    float *wk = reinterpret_cast<float*>(a->workspace), *wv = wk + padded * D;
    for (int64_t n = first; n < last && n < a->B * a->H; n++) {
        const int64_t b = n / a->H, h = n % a->H, from = How::kv_head(a, h) * D;
        const avo_bf16 *k = a->k + b * a->S * stride + from, *v = a->v + How::v_batch(a, b) * a->S * stride + from;
        for (int64_t j = 0; j < padded; j++)  // K transposed by tile, V as it is, zeros past the end
            for (int d = 0; d < D; d++) {
                wk[j / KEYS * KEYS * D + d * KEYS + j % KEYS] = j < a->S ? widen(k[j * stride + d]) : 0.f;
                wv[j * D + d] = j < a->S ? widen(v[j * stride + d]) : 0.f;
            }
        const int64_t mine = b * a->S * stride + h * D;
        for (int64_t i0 = 0; i0 < a->S; i0 += ROWS)
            rows<How>(a, a->q + mine, wk, wv, a->o + mine, i0, int(a->S - i0 < ROWS ? a->S - i0 : ROWS));
    }
    return 0;
}
}  // namespace redteam
