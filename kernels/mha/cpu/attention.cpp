// Multi-head attention, forward, on one CPU core.
//   o[b,i,h,:] = sum_j softmax_j(scale * <q[b,i,h,:], k[b,j,h,:]>) v[b,j,h,:],   j <= i when causal
//   q, k, v, o: bf16 [B,S,H,D]; every sum in fp32.
// Schedule: per (b,h), Q_ROWS query rows at a time walk the keys in tiles of KV_TILE and keep a running
// maximum m, sum l and output acc (online softmax); a larger maximum rescales l and acc.
#include "avo_abi.h"
#include <bit>
#include <cmath>

namespace {
constexpr int D = 128;
// avo:knob LANES {2, 4, 8, 16, 32}
constexpr int LANES = 2;  // floats that one multiply-add handles side by side
// avo:knob Q_ROWS {1, 2, 4, 6, 8, 12}
constexpr int Q_ROWS = 1;  // query rows that share one load of a key or value
// avo:knob KV_TILE {32, 64, 128, 256}
constexpr int KV_TILE = 32;  // keys between two updates of the running maximum
// avo:knob K_LAYOUT {0, 1, 2}
constexpr int K_LAYOUT = 0;  // 0: bf16 rows, widened at each use; 1: fp32 rows; 2: fp32, transposed by tile
// avo:knob EXP {0, 1}
constexpr int EXP = 0;  // 0: the C library's expf; 1: range reduction and a polynomial

static_assert(KV_TILE % LANES == 0 && D % LANES == 0);
typedef float vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

template <class A> int64_t key_heads(const A& a) {  // fewer than of queries where the ABI has Hkv (grouped queries)
    if constexpr (requires { a.Hkv; }) return a.Hkv; else return a.H;
}
float widen(avo_bf16 x) { return std::bit_cast<float>(uint32_t(x) << 16); }
avo_bf16 narrow(float f) {  // round to nearest, ties to even
    const uint32_t bits = std::bit_cast<uint32_t>(f);
    return avo_bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
void store(float* p, vec x) { *reinterpret_cast<vec*>(p) = x; }
vec load(const avo_bf16* p) {
    vec v;
    for (int i = 0; i < LANES; i++) v[i] = widen(p[i]);
    return v;
}

// exp for x <= 0. EXP 1: 2^n * 2^f with |f| <= 1/2, 2^f by its Taylor series of degree 6 (error < 2e-7).
float exponential(float x) {
    if constexpr (EXP == 0) return std::exp(x);
    float y = x * 1.44269504f;
    y = y < -126.f ? -126.f : y;
    float n = (y + 12582912.f) - 12582912.f, f = y - n;
    float p = 0.00961813f + f * (0.00133336f + f * 0.00015404f);
    p = 1.f + f * (0.69314718f + f * (0.24022651f + f * (0.05550411f + f * p)));
    return y <= -126.f ? 0.f : p * std::bit_cast<float>((int32_t(n) + 127) << 23);
}

// s[r][j] = <q[r], k[j]> for one tile. Layout 2 adds up over d for LANES keys at once, the others over keys.
template <class T>
void scores(const float (*q)[D], const T* k, int64_t stride, int keys, float (*s)[KV_TILE]) {
    if constexpr (K_LAYOUT == 2) {
        for (int j = 0; j < keys; j += LANES) {
            vec c[Q_ROWS] = {};
            for (int d = 0; d < D; d++) {
                vec x = load(k + d * KV_TILE + j);
                for (int r = 0; r < Q_ROWS; r++) c[r] += q[r][d] * x;
            }
            for (int r = 0; r < Q_ROWS; r++) store(&s[r][j], c[r]);
        }
    } else {
        for (int j = 0; j < keys; j++) {
            vec c[Q_ROWS] = {};
            for (int d = 0; d < D; d += LANES) {
                vec x = load(k + j * stride + d);
                for (int r = 0; r < Q_ROWS; r++) c[r] += load(&q[r][d]) * x;
            }
            for (int r = 0; r < Q_ROWS; r++) {
                s[r][j] = 0;
                for (int i = 0; i < LANES; i++) s[r][j] += c[r][i];
            }
        }
    }
}

// acc[r] += sum_j p[r][j] v[j] over `keys` keys.
template <class T>
void accumulate(const float (*p)[KV_TILE], const T* v, int64_t stride, int keys, float (*acc)[D]) {
    for (int d = 0; d < D; d += LANES) {
        vec c[Q_ROWS];
        for (int r = 0; r < Q_ROWS; r++) c[r] = load(&acc[r][d]);
        for (int j = 0; j < keys; j++) {
            vec x = load(v + j * stride + d);
            for (int r = 0; r < Q_ROWS; r++) c[r] += p[r][j] * x;
        }
        for (int r = 0; r < Q_ROWS; r++) store(&acc[r][d], c[r]);
    }
}

// One head of K and V in fp32, as K_LAYOUT says, in the workspace; keys past the end are zeros.
void unpack(const avo_bf16* k, const avo_bf16* v, int64_t stride, int64_t S, float* wk, float* wv) {
    for (int64_t j = 0; j < (S + KV_TILE - 1) / KV_TILE * KV_TILE; j++) {
        const int64_t in = j % KV_TILE, j0 = j - in;
        for (int d = 0; d < D; d++) {
            wk[K_LAYOUT == 2 ? j0 * D + d * KV_TILE + in : j * D + d] = j < S ? widen(k[j * stride + d]) : 0.f;
            wv[j * D + d] = j < S ? widen(v[j * stride + d]) : 0.f;
        }
    }
}

// Query rows i0 .. i0+rows-1 of one head; k and v are rows of `stride` elements, or tiles in layout 2.
template <class T>
void attend(const avo_args* a, const avo_bf16* q, const T* k, const T* v, int64_t stride, avo_bf16* o, int64_t i0, int rows) {
    const int64_t row_stride = a->H * D, end = a->causal ? i0 + rows : a->S;
    float rq[Q_ROWS][D] = {}, acc[Q_ROWS][D] = {}, s[Q_ROWS][KV_TILE], m[Q_ROWS], l[Q_ROWS] = {};
    for (int r = 0; r < Q_ROWS; r++) m[r] = -INFINITY;
    for (int r = 0; r < rows; r++)
        for (int d = 0; d < D; d++) rq[r][d] = widen(q[(i0 + r) * row_stride + d]) * a->scale;
    for (int64_t j0 = 0; j0 < end; j0 += KV_TILE) {
        const int keys = int(end - j0 < KV_TILE ? end - j0 : KV_TILE);
        scores(rq, k + j0 * stride, stride, keys, s);
        for (int r = 0; r < Q_ROWS; r++) {
            const int64_t visible = a->causal ? i0 + r + 1 - j0 : keys;
            for (int j = 0; j < keys; j++) s[r][j] = j < visible ? s[r][j] : -INFINITY;
            const float before = m[r];
            for (int j = 0; j < keys; j++) m[r] = s[r][j] > m[r] ? s[r][j] : m[r];
            const float shrink = exponential(before - m[r]);
            for (int j = 0; j < keys; j++) s[r][j] = exponential(s[r][j] - m[r]);
            l[r] *= shrink;
            for (int j = 0; j < keys; j++) l[r] += s[r][j];
            for (int d = 0; d < D; d++) acc[r][d] *= shrink;
        }
        accumulate(s, v + j0 * stride, stride, keys, acc);
    }
    for (int r = 0; r < rows; r++)
        for (int d = 0; d < D; d++) o[(i0 + r) * row_stride + d] = narrow(acc[r][d] / l[r]);
}
}  // namespace

extern "C" int avo_launch(const avo_args* a, void*) {
    if (a->D != D) return 1;
    const int64_t row_stride = a->H * D, heads = key_heads(*a), key_stride = heads * D;
    float *wk = reinterpret_cast<float*>(a->workspace), *wv = wk + (a->S + KV_TILE - 1) / KV_TILE * KV_TILE * D;
    for (int64_t bh = 0; bh < a->B * a->H; bh++) {
        const int64_t b = bh / a->H * a->S, h = bh % a->H;
        const int64_t at = b * row_stride + h * D, from = b * key_stride + h / (a->H / heads) * D;
        if constexpr (K_LAYOUT != 0) unpack(a->k + from, a->v + from, key_stride, a->S, wk, wv);
        for (int64_t i0 = 0; i0 < a->S; i0 += Q_ROWS) {
            const int rows = int(a->S - i0 < Q_ROWS ? a->S - i0 : Q_ROWS);
            if constexpr (K_LAYOUT == 0) attend(a, a->q + at, a->k + from, a->v + from, key_stride, a->o + at, i0, rows);
            else attend<float>(a, a->q + at, wk, wv, D, a->o + at, i0, rows);
        }
    }
    return 0;
}
