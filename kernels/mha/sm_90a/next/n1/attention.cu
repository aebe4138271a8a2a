// Multi-head attention, forward, with Hopper's wgmma and TMA.
//   o[b,i,h,:] = sum_j softmax_j(scale * <q[b,i,h,:], k[b,j,h,:]>) v[b,j,h,:],   j <= i when causal
//   q, k, v, o: bf16 [B,S,H,D], D = 128; every sum in fp32. Any B, S, H from 1 up.
// Schedule: persistent blocks take tiles of ROWS = 128 query rows and walk the keys from right to left, KEYS at a time.
//   Warpgroup 0: one thread (produce) draws tiles and keeps two tiles of Q and a ring of STAGES tiles of K and of V filled
//   by TMA; another (store) takes the finished rows of O, which lie where the tile's Q was, to global memory.
//   Warpgroups 1 and 2 are the consumers, 64 rows each. A consumer issues S = Q K^T of a block, then O += P V of the block
//   before. Tiles follow each other without a gap: the first Q K^T of a tile is issued with the last P V of the tile before.
//     produce    wait q_empty -> load Q -> q_full    wait k_empty -> load K -> k_full    wait v_empty -> load V -> v_full
//     consume    wait k_full -> S -> k_empty -> softmax; wait v_full -> O -> v_empty; at the end of a tile: O -> o_full
//     store      wait o_full of both -> store -> q_empty
//   Causal tiles are drawn the longest first, from a counter; heads in groups whose K and V fit in L2.
// Numbers that matter: tile 128 x 128, 2 stages, 192 KiB of shared memory, 384 threads, registers 40 / 232 / 232.
// What changed: full attention ends in whole waves. The tiles left over (4 of 4096 on 132 multiprocessors) are split along the keys,
//   one part for a block; each warp leaves its part of O, base and sums in g_partial, and the last warp to come adds the parts up,
//   in their order, so that the answer does not depend on who was last. Not run yet.
#include "avo_abi.h"
#include "ptx.cuh"
#include <algorithm>
#include <atomic>
#include <climits>
#include <cuda_runtime.h>

namespace {
struct Config {
    static constexpr int D = 128, CONSUMERS = 2, WROWS = 64, ROWS = CONSUMERS * WROWS, KEYS = 128;
    static constexpr int THREADS = 128 * (1 + CONSUMERS);
    // avo:knob STAGES {1, 2}
    static constexpr int STAGES = 2;
    static constexpr int TILES = 2;           // tiles of Q on the way
    // avo:knob L2_MIB {8, 16, 24, 32, 48}
    static constexpr int L2_MIB = 24;         // causal: heads are taken in groups whose K and V are no larger than this
    // avo:knob PINGPONG {0, 1}
    static constexpr int PINGPONG = 0;        // 1: the consumers issue their products in turns
    // avo:knob BESIDE {8, 16, 32, 48, 64}
    static constexpr int BESIDE = 16;         // of a thread's 64 exponentials, so many run beside P V
    // avo:knob SLACK {0, 4, 8}
    static constexpr int SLACK = 8;           // O is rescaled when a maximum has grown by more than 2^SLACK
    static constexpr int COUNTERS = 64;       // launches that may be in flight at once
    static constexpr int PARTS = 144;         // parts of tiles, all split tiles together
    // avo:knob MERGE {0.25, 0.5, 1.0}
    static constexpr float MERGE = 0.5f;      // what merging a part is taken to cost, in steps of 128 keys
};
using C = Config;
constexpr float LOG2E = 1.4426950408889634f;

// A tile lies as two halves of D, each in rows of 64 bf16 with 128-byte swizzle.
struct QTile { uint16_t half[2][C::WROWS][64]; };
struct KTile { uint16_t half[2][C::KEYS][64]; };
struct SharedPlan {
    QTile q[C::TILES][C::CONSUMERS];  // when a tile is done, its rows of O
    KTile k[C::STAGES], v[C::STAGES];
    uint64_t q_full[C::TILES], q_empty[C::TILES], o_full[C::TILES][C::CONSUMERS];
    uint64_t k_full[C::STAGES], k_empty[C::STAGES], v_full[C::STAGES], v_empty[C::STAGES];
    int ticket[C::TILES];  // of the tile of Q in that place; published by q_full
};
constexpr int SHARED_BYTES = sizeof(SharedPlan) + 1024;  // to start at a multiple of 1024
static_assert(SHARED_BYTES <= 227 * 1024);

// Tensor maps: dimensions (64 of D, S, half of D, H, B), rows past S read as zero and are not written.
struct Maps { CUtensorMap q, k, v, o; };

struct Problem {
    int S, H, causal, tiles, heads, group;  // tiles of a head; heads in all batches, and of a group
    int whole, parts;                       // so many tiles are not split; parts of each of the others
    float scale;                            // of the logits, times log2(e)
    avo_bf16* o;
    __device__ int total() const { return whole + (tiles * heads - whole) * parts; }
};

// A tile of work, or a part of one along the keys. Full attention goes head by head; causal takes a group of heads, the
// longest tiles of all of them first.
struct Task {
    int row, head, batch, end, blocks;  // row: the first of the tile; end: of its blocks of keys, the last of them is end - 1
    int part = -1;                      // -1: a whole tile
    __device__ Task(const Problem& p, int ticket) {
        if (ticket >= p.whole && p.parts > 1) part = ticket - p.whole, ticket = p.whole + part / p.parts;
        const int first = ticket / (p.group * p.tiles) * p.group, width = min(p.group, p.heads - first);
        const int place = ticket - first * p.tiles, tile = p.tiles - 1 - place / width;
        row = tile * C::ROWS, head = (first + place % width) % p.H, batch = (first + place % width) / p.H;
        end = blocks = ((p.causal ? min(p.S, row + C::ROWS) : p.S) + C::KEYS - 1) / C::KEYS;
        if (part >= 0) {
            const int i = part % p.parts;
            end = blocks * (i + 1) / p.parts, blocks = end - blocks * i / p.parts;
        }
    }
};

// Tickets are drawn from a counter; the last block to find none left sets it back for a later launch.
__device__ unsigned g_drawn[C::COUNTERS], g_finished[C::COUNTERS];

template <int N> struct Ring {  // a place in a ring of N, and the parity of its current round
    int slot = 0;
    uint32_t parity = 0;
    __device__ void next() {
        if (++slot == N) slot = 0, parity ^= 1;
    }
};

__device__ void produce(SharedPlan& s, const Maps& maps, const Problem& p, int counter) {
    Ring<C::STAGES> ring;
    Ring<C::TILES> q;
    for (unsigned ticket = blockIdx.x, drawn;; ticket = gridDim.x + drawn, q.next()) {
        ptx::wait(s.q_empty[q.slot], q.parity ^ 1);
        const bool over = ticket >= unsigned(p.total());
        s.ticket[q.slot] = over ? -1 : int(ticket);
        if (over) break;
        const Task t(p, ticket);
        ptx::arrive_expect(s.q_full[q.slot], sizeof(s.q[0]));
        for (int w = 0; w < C::CONSUMERS; w++)
            ptx::load(&s.q[q.slot][w], maps.q, s.q_full[q.slot], 0, t.row + w * C::WROWS, 0, t.head, t.batch);
        drawn = atomicAdd(&g_drawn[counter], 1);
#pragma unroll 1
        for (int block = t.end - 1; block >= t.end - t.blocks; block--, ring.next()) {
            const int slot = ring.slot;
            ptx::wait(s.k_empty[slot], ring.parity ^ 1);
            ptx::arrive_expect(s.k_full[slot], sizeof(KTile));
            ptx::load(&s.k[slot], maps.k, s.k_full[slot], 0, block * C::KEYS, 0, t.head, t.batch);
            ptx::wait(s.v_empty[slot], ring.parity ^ 1);
            ptx::arrive_expect(s.v_full[slot], sizeof(KTile));
            ptx::load(&s.v[slot], maps.v, s.v_full[slot], 0, block * C::KEYS, 0, t.head, t.batch);
        }
    }
    ptx::arrive(s.q_full[q.slot]);  // no more tiles
    if (atomicAdd(&g_finished[counter], 1) == gridDim.x - 1) g_drawn[counter] = 0, g_finished[counter] = 0;
}

// Takes the consumers' rows of O to global memory; then the place is free for another tile of Q. Parts go another way.
__device__ void store(SharedPlan& s, const Maps& maps, const Problem& p) {
    for (Ring<C::TILES> q;; q.next()) {
        ptx::wait(s.q_full[q.slot], q.parity);
        if (s.ticket[q.slot] < 0) return;
        const Task t(p, s.ticket[q.slot]);
        for (int w = 0; w < C::CONSUMERS; w++) {
            ptx::wait(s.o_full[q.slot][w], q.parity);
            if (t.part < 0 && t.row + w * C::WROWS < p.S) ptx::store(maps.o, &s.q[q.slot][w], 0, t.row + w * C::WROWS, 0, t.head, t.batch);
        }
        ptx::wait_stores_read();
        ptx::arrive(s.q_empty[q.slot]);
    }
}

// What a thread holds of its warpgroup's 64 rows: parts of rows `row` and `row + 8`, columns 8n + 2 * (lane % 4) + {0, 1};
// element 4n + e of a fragment is row + e / 2 * 8, column 8n + 2 * (lane % 4) + e % 2.
struct Rows {
    float o[C::D / 2] = {}, sum[2] = {0.f, 0.f}, base[2] = {-INFINITY, -INFINITY};
    int limit[2] = {INT_MIN, INT_MIN};  // base: the maximum, scaled
};

// s = Q K^T
__device__ __forceinline__ void scores(float (&s)[C::KEYS / 2], const QTile& q, const KTile& k) {
    const uint64_t a = ptx::descriptor(&q, 0), b = ptx::descriptor(&k, 0);
#pragma unroll
    for (int i = 0; i < C::D / 16; i++)
        ptx::multiply_ss(s, a + (i / 4 * sizeof(q.half[0]) + i % 4 * 32) / 16, b + (i / 4 * sizeof(k.half[0]) + i % 4 * 32) / 16, i > 0);
}

// o += P V
__device__ __forceinline__ void accumulate(float (&o)[C::D / 2], const uint32_t (&p)[C::KEYS / 4], const KTile& v) {
    const uint64_t b = ptx::descriptor(&v, sizeof(v.half[0]));
#pragma unroll
    for (int i = 0; i < C::KEYS / 16; i++) ptx::multiply_rs(o, p + 4 * i, b + i * 16 * 128 / 16);
}

// Keys past S and, when causal, past the row get no weight.
__device__ __forceinline__ void mask(float (&s)[C::KEYS / 2], const Problem& p, int row, int first) {
    const int column = first + threadIdx.x % 4 * 2;
#pragma unroll
    for (int i = 0; i < C::KEYS / 2; i++) {
        const int j = column + i / 4 * 8 + i % 2;
        if (j >= p.S || (p.causal && j > row + i % 4 / 2 * 8)) s[i] = -INFINITY;
    }
}

// Whether base had to follow the maxima of s for any row of the warp; then shrink is what O has to be multiplied by. Below
// base + SLACK any base will do. Scores are compared with that as integers, three at a time: right for a limit that is not
// negative; a negative one stands as INT_MIN and is always reached. The threads of a row agree only when it is.
__device__ __forceinline__ bool follow(const float (&s)[C::KEYS / 2], Rows& r, float (&shrink)[2], float scale) {
    int high[4] = {INT_MIN, INT_MIN, INT_MIN, INT_MIN};
#pragma unroll
    for (int i = 0; i < C::KEYS / 2; i += 8)
#pragma unroll
        for (int e = 0; e < 4; e++)
            high[e] = __vimax3_s32(high[e], __float_as_int(s[i + e]), __float_as_int(s[i + e + 4]));
    const bool grown = __any_sync(~0u, max(high[0], high[1]) >= r.limit[0] || max(high[2], high[3]) >= r.limit[1]);
    if (grown) {
        float top[4] = {s[0], s[1], s[2], s[3]};
#pragma unroll
        for (int i = 4; i < C::KEYS / 2; i++) top[i % 4] = fmaxf(top[i % 4], s[i]);
        top[0] = fmaxf(top[0], top[1]) * scale, top[1] = fmaxf(top[2], top[3]) * scale;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            top[h] = fmaxf(top[h], __shfl_xor_sync(~0u, top[h], 1));
            top[h] = fmaxf(top[h], __shfl_xor_sync(~0u, top[h], 2));
            const float base = fmaxf(r.base[h], top[h]), limit = __fdividef(base + C::SLACK, scale);
            shrink[h] = ptx::exp2(r.base[h] - base);
            r.base[h] = base;
            r.limit[h] = limit < 0.f ? INT_MIN : __float_as_int(limit);
            r.sum[h] *= shrink[h];
        }
    }
    return grown;
}

// Elements FROM to TO of s become P, unnormalised.
template <int FROM, int TO> __device__ __forceinline__ void exponentials(float (&s)[C::KEYS / 2], Rows& r, float scale) {
#pragma unroll
    for (int i = FROM; i < TO; i++) {
        s[i] = ptx::exp2(fmaf(s[i], scale, -r.base[i % 4 / 2]));
        r.sum[i % 4 / 2] += s[i];
    }
}

__device__ __forceinline__ void rescale(float (&o)[C::D / 2], const float (&shrink)[2]) {
#pragma unroll
    for (int i = 0; i < C::D / 2; i++) o[i] *= shrink[i % 4 / 2];
}

__device__ __forceinline__ void pack(uint32_t (&p)[C::KEYS / 4], const float (&s)[C::KEYS / 2]) {
#pragma unroll
    for (int i = 0; i < C::KEYS / 4; i++) p[i] = ptx::pack(s[2 * i], s[2 * i + 1]);
}

// The consumers take turns at the tensor cores: a turn is the two products of one step.
enum Barrier { TURN = 1 };  // named barriers, one for each consumer
__device__ __forceinline__ void await_turn(int consumer) { if (C::PINGPONG) ptx::sync(TURN + consumer, 256); }
__device__ __forceinline__ void pass_turn(int consumer) { if (C::PINGPONG) ptx::signal(TURN + 1 - consumer, 256); }

// O / sum; a thread has its own part of the sums.
__device__ __forceinline__ void divide(float (&o)[C::D / 2], const float (&sum)[2]) {
    float inverse[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const float pair = sum[h] + __shfl_xor_sync(~0u, sum[h], 1);
        inverse[h] = 1.f / (pair + __shfl_xor_sync(~0u, pair, 2));
    }
    rescale(o, inverse);
}

// O to shared memory, to the place of the tile's Q.
__device__ __forceinline__ void write(QTile& to, float (&o)[C::D / 2], const float (&sum)[2]) {
    divide(o, sum);
    const int lane = threadIdx.x % 32, row = threadIdx.x % 128 / 32 * 16 + lane % 16;
#pragma unroll
    for (int n = 0; n < C::D / 8; n += 2)  // 16 columns at a time; this lane addresses a row of 8 of them
        ptx::store_matrices(ptx::address(&to.half[n / 8][row][((n + lane / 16) ^ row) % 8 * 8]),
                            ptx::pack(o[4 * n], o[4 * n + 1]), ptx::pack(o[4 * n + 2], o[4 * n + 3]),
                            ptx::pack(o[4 * n + 4], o[4 * n + 5]), ptx::pack(o[4 * n + 6], o[4 * n + 7]));
    ptx::publish_shared();
    __syncwarp();
}

// Parts of tiles, as the warps hold them. The launches on a stream share them.
struct Partial {
    float4 o[C::D / 8][32], bounds[32];  // bounds: base and sum of a lane's two rows
};
__device__ Partial g_partial[C::PARTS][4 * C::CONSUMERS];
__device__ unsigned g_arrived[C::PARTS][4 * C::CONSUMERS];  // parts in, by the first part of a tile; zero between launches

// A warp's part of O to g_partial. The warp that finds all other parts of its rows there adds them up, always in the same
// order, and writes the rows.
__device__ void merge(const Task& t, const Problem& p, float (&o)[C::D / 2], const float (&base)[2], const float (&sum)[2]) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 - 4, first = t.part / p.parts * p.parts;
    Partial& mine = g_partial[t.part][warp];
#pragma unroll
    for (int n = 0; n < C::D / 8; n++) mine.o[n][lane] = make_float4(o[4 * n], o[4 * n + 1], o[4 * n + 2], o[4 * n + 3]);
    mine.bounds[lane] = make_float4(base[0], base[1], sum[0], sum[1]);
    __threadfence();
    __syncwarp();
    const bool last = lane == 0 && atomicAdd(&g_arrived[first][warp], 1) == unsigned(p.parts - 1);
    if (!__any_sync(~0u, last)) return;
    __threadfence();
    if (lane == 0) g_arrived[first][warp] = 0;
    float top[2] = {-INFINITY, -INFINITY}, total[2] = {0.f, 0.f};
    for (int i = 0; i < p.parts; i++) {
        const float4 bounds = __ldcg(&g_partial[first + i][warp].bounds[lane]);
        top[0] = fmaxf(top[0], bounds.x), top[1] = fmaxf(top[1], bounds.y);
    }
#pragma unroll
    for (int i = 0; i < C::D / 2; i++) o[i] = 0.f;
#pragma unroll 1
    for (int i = 0; i < p.parts; i++) {
        const Partial& from = g_partial[first + i][warp];
        const float4 bounds = __ldcg(&from.bounds[lane]);
        const float share[2] = {ptx::exp2(bounds.x - top[0]), ptx::exp2(bounds.y - top[1])};
        total[0] = fmaf(share[0], bounds.z, total[0]), total[1] = fmaf(share[1], bounds.w, total[1]);
#pragma unroll
        for (int n = 0; n < C::D / 8; n++) {
            const float4 x = __ldcg(&from.o[n][lane]);
            o[4 * n] = fmaf(share[0], x.x, o[4 * n]), o[4 * n + 1] = fmaf(share[0], x.y, o[4 * n + 1]);
            o[4 * n + 2] = fmaf(share[1], x.z, o[4 * n + 2]), o[4 * n + 3] = fmaf(share[1], x.w, o[4 * n + 3]);
        }
    }
    divide(o, total);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const int row = t.row + warp * 16 + lane / 4 + 8 * h;
        uint32_t* to = reinterpret_cast<uint32_t*>(p.o + ((int64_t(t.batch) * p.S + row) * p.H + t.head) * C::D) + lane % 4;
        if (row < p.S)
#pragma unroll
            for (int n = 0; n < C::D / 8; n++) to[4 * n] = ptx::pack(o[4 * n + 2 * h], o[4 * n + 2 * h + 1]);
    }
}

__device__ void consume(SharedPlan& s, const Problem& problem, int consumer) {
    const int lane = threadIdx.x % 32, row = consumer * C::WROWS + threadIdx.x % 128 / 32 * 16 + lane / 4;
    Ring<C::STAGES> k, v;
    Ring<C::TILES> q;
    Rows r;
    float x[C::KEYS / 2], shrink[2] = {1.f, 1.f};
    uint32_t p[C::KEYS / 4];
    const auto release = [&](uint64_t& empty) {  // every warp of its readers frees a slot
        if (lane == 0) ptx::arrive(empty);
    };
    // A turn: x = Q K^T of the block ahead, O += P V of the block before. Returns when x is there; P V still runs.
    const auto turn = [&](QTile& ahead) {
        ptx::wait(s.k_full[k.slot], k.parity);
        await_turn(consumer);
        ptx::wgmma_begin();
        scores(x, ahead, s.k[k.slot]);
        ptx::wgmma_commit();
        ptx::wait(s.v_full[v.slot], v.parity);
        ptx::wgmma_begin();
        accumulate(r.o, p, s.v[v.slot]);
        ptx::wgmma_commit();
        pass_turn(consumer);
        ptx::wgmma_wait<1>(x);
        release(s.k_empty[k.slot]);
        k.next();
    };
    const auto finish = [&] {  // P V
        ptx::wgmma_wait<0>(r.o);
        release(s.v_empty[v.slot]);
        v.next();
    };
    if (consumer == 1) pass_turn(consumer);  // consumer 0 goes first
    ptx::wait(s.q_full[0], 0);
    Task t(problem, s.ticket[0]);
    ptx::wait(s.k_full[0], 0);
    await_turn(consumer);
    ptx::wgmma_begin();
    scores(x, s.q[0][consumer], s.k[0]);
    ptx::wgmma_commit();
    pass_turn(consumer);
    ptx::wgmma_wait<0>(x);
    release(s.k_empty[0]);
    k.next();
    mask(x, problem, t.row + row, (t.end - 1) * C::KEYS);
    follow(x, r, shrink, problem.scale);
    exponentials<0, C::KEYS / 2>(x, r, problem.scale);
    pack(p, x);
    while (true) {
        for (int left = t.blocks; left > 1; left--) {
            turn(s.q[q.slot][consumer]);
            const bool grown = follow(x, r, shrink, problem.scale);
            exponentials<0, C::BESIDE>(x, r, problem.scale);
            ptx::hold(r.sum[0] + r.sum[1]);
            finish();
            if (grown) rescale(r.o, shrink);
            exponentials<C::BESIDE, C::KEYS / 2>(x, r, problem.scale);
            pack(p, x);
        }
        // The last P V of this tile runs beside the first Q K^T of the next one.
        Ring<C::TILES> done = q;
        q.next();
        ptx::wait(s.q_full[q.slot], q.parity);
        const int ticket = s.ticket[q.slot];
        if (ticket < 0) {
            q = done;
            break;
        }
        const Task before = t;
        t = Task(problem, ticket);
        turn(s.q[q.slot][consumer]);
        mask(x, problem, t.row + row, (t.end - 1) * C::KEYS);  // ROWS = KEYS: the first block alone meets a border
        const float sum[2] = {r.sum[0], r.sum[1]}, base[2] = {r.base[0], r.base[1]};
        r.sum[0] = r.sum[1] = 0.f, r.base[0] = r.base[1] = -INFINITY, r.limit[0] = r.limit[1] = INT_MIN;
        follow(x, r, shrink, problem.scale);
        exponentials<0, C::KEYS / 2>(x, r, problem.scale);
        ptx::hold(r.sum[0] + r.sum[1]);
        finish();
        pack(p, x);
        // Two releases: with one behind both ptxas keeps the rings in vector registers, 70 instructions more a step.
        if (before.part < 0) {
            write(s.q[done.slot][consumer], r.o, sum);
            release(s.o_full[done.slot][consumer]);
        } else {
            merge(before, problem, r.o, base, sum);
            release(s.o_full[done.slot][consumer]);
        }
#pragma unroll
        for (float& o : r.o) o = 0.f;
    }
    ptx::wait(s.v_full[v.slot], v.parity);
    await_turn(consumer);
    ptx::wgmma_begin();
    accumulate(r.o, p, s.v[v.slot]);
    ptx::wgmma_commit();
    pass_turn(consumer);
    finish();
    if (t.part < 0) write(s.q[q.slot][consumer], r.o, r.sum);
    else merge(t, problem, r.o, r.base, r.sum);
    release(s.o_full[q.slot][consumer]);
}

__global__ void __launch_bounds__(C::THREADS, 1)
attention(const __grid_constant__ Maps maps, const __grid_constant__ Problem p, int counter) {
    static_assert(C::ROWS == C::KEYS);
    extern __shared__ uint8_t raw[];
    SharedPlan& s = *reinterpret_cast<SharedPlan*>((uintptr_t(raw) + 1023) / 1024 * 1024);
    if (threadIdx.x == 0) {
        for (int i = 0; i < C::TILES; i++) {
            ptx::init(s.q_full[i], 1), ptx::init(s.q_empty[i], 1);
            for (uint64_t& bar : s.o_full[i]) ptx::init(bar, 4);
        }
        for (int i = 0; i < C::STAGES; i++) {
            ptx::init(s.k_full[i], 1), ptx::init(s.v_full[i], 1);
            ptx::init(s.k_empty[i], 4 * C::CONSUMERS), ptx::init(s.v_empty[i], 4 * C::CONSUMERS);
        }
        ptx::publish_init();
    }
    __syncthreads();
    const int warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);  // known to be uniform
    if (warpgroup == 0) {
        ptx::give_registers<40>();
        if (threadIdx.x == 0) produce(s, maps, p, counter);
        if (threadIdx.x == 32) store(s, maps, p);
    } else {
        ptx::take_registers<232>();
        consume(s, p, warpgroup - 1);
    }
}

// A map of one of the tensors, in boxes of `rows` rows.
bool encode(CUtensorMap& map, const avo_bf16* at, const avo_args& a, int rows) {
    const cuuint64_t S = a.S, H = a.H, B = a.B, D = C::D, sizes[5] = {64, S, 2, H, B};
    const cuuint64_t strides[4] = {H * D * 2, 128, D * 2, S * H * D * 2};
    const cuuint32_t box[5] = {64, cuuint32_t(rows), 2, 1, 1}, ones[5] = {1, 1, 1, 1, 1};
    return cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 5, const_cast<avo_bf16*>(at), sizes, strides, box, ones,
                                  CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}
}  // namespace

extern "C" int avo_launch(const avo_args* a, void* stream) {
    if (a->D != C::D) return 1;
    Maps maps;
    if (!encode(maps.q, a->q, *a, C::WROWS) || !encode(maps.k, a->k, *a, C::KEYS) || !encode(maps.v, a->v, *a, C::KEYS) ||
        !encode(maps.o, a->o, *a, C::WROWS))
        return 2;
    if (cudaFuncSetAttribute(attention, cudaFuncAttributeMaxDynamicSharedMemorySize, SHARED_BYTES) != cudaSuccess) return 2;
    int device, processors;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device) != cudaSuccess)
        return 2;
    static std::atomic<unsigned> launches;
    const int tiles = int((a->S + C::ROWS - 1) / C::ROWS), heads = int(a->B * a->H);
    const int64_t fit = (int64_t(C::L2_MIB) << 20) / (a->S * C::D * 4);
    const int group = a->causal ? int(std::max<int64_t>(1, std::min<int64_t>(fit, heads))) : 1;
    // Full attention: what is left after whole waves of tiles is split so that the last wave is shortest.
    const int total = tiles * heads, rest = a->causal ? 0 : total % processors;
    int parts = 1;
    if (rest) {
        const auto steps = [&](int n) { return float((tiles + n - 1) / n) + (n > 1 ? 1.f + C::MERGE * n : 0.f); };
        for (int n = 2; n <= std::min(processors, int(C::PARTS)) / rest && n <= tiles; n++)
            if (steps(n) < steps(parts)) parts = n;
    }
    const Problem p{int(a->S), int(a->H), a->causal, tiles, heads, group, total - rest, parts, a->scale * LOG2E, a->o};
    attention<<<std::min(total + rest * (parts - 1), processors), C::THREADS, SHARED_BYTES, cudaStream_t(stream)>>>(maps, p, int(launches++ % C::COUNTERS));
    return cudaGetLastError() == cudaSuccess ? 0 : 2;
}
