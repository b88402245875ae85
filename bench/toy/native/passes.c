/* Losses and gradients of the model for one replica after another, in single precision.

   ../batched/forward.py computes the same with torch and explains the symbols; native.py compiles this file and
   calls `passes`. A replica is done in one go, while its activations are in the cache. */

#include "vectors.h"
#include "layers.h"
#include "attention.h"

/* A residual block: x -> its output. */
static float *forward(Pass *p, Block *b, float *x) {
    const Net *net = p->net;
    const long d = net->d, n = b->n * net->batch, s = b->s * net->batch;
    b->plain = take(p, d * n), b->scale = take(p, n), b->in = x;
    if (net->pre_norm) norm(p, b->norm, n, x, b->in = take(p, d * n), b->plain, b->scale);
    float *y = take(p, d * n);
    if (b->kind == HIDDEN) {
        b->mixed = take(p, net->ff * n);
        product(net->ff, n, d, b->first.w, d, 1, b->in, b->mixed, b->first.b, 0, 1);
        product(d, n, net->ff, b->second.w, net->ff, 1, b->mixed, y, b->second.b, x, 0);
    } else {
        b->query = take(p, d * n), b->key = take(p, 2 * d * s), b->mixed = take(p, d * n);
        b->shares = take(p, net->heads * b->n * s);
        product(d, n, d, b->first.w, d, 1, b->in, b->query, b->first.b, 0, 0);
        const float *keys = b->kind == SELF ? b->in : p->memory;
        product(2 * d, s, d, b->first.w + d * d, d, 1, keys, b->key, b->first.b + d, 0, 0);
        attention(p, b, 0, 0, 0);
        product(d, n, d, b->second.w, d, 1, b->mixed, y, b->second.b, x, 0);
    }
    if (!net->pre_norm) {
        float *sum = y;
        norm(p, b->norm, n, sum, y = take(p, d * n), b->plain, b->scale);
    }
    return y;
}

/* The backward pass of a block: turns the gradient of its output into that of its input, in place. */
static void backward(Pass *p, Block *b, float *dy) {
    const Net *net = p->net;
    const long d = net->d, n = b->n * net->batch, s = b->s * net->batch;
    float *top = p->top, *dx = dy, *onto = dy;
    if (net->pre_norm) dx = take(p, d * n), onto = 0;
    else norm_back(p, b->norm, n, b->plain, b->scale, dy, dy, 0);
    if (b->kind == HIDDEN) {
        float *inner = take(p, net->ff * n);
        affine_back(p, b->second, 0, d, net->ff, n, b->mixed, dy, inner, 0);
        for (long i = 0; i < net->ff * n; i += W)
            V(inner + i) = where(CV(b->mixed + i) <= 0.0f, (vec){0}, CV(inner + i));
        affine_back(p, b->first, 0, net->ff, d, n, b->in, inner, dx, onto);
    } else {
        float *d_mixed = take(p, d * n), *d_query = take(p, d * n), *d_key = take(p, 2 * d * s);
        affine_back(p, b->second, 0, d, d, n, b->mixed, dy, d_mixed, 0);
        attention(p, b, d_mixed, d_query, d_key);
        affine_back(p, b->first, 0, d, d, n, b->in, d_query, dx, onto);
        if (b->kind == SELF) affine_back(p, b->first, d, 2 * d, d, n, b->in, d_key, dx, dx);
        else affine_back(p, b->first, d, 2 * d, d, s, p->memory, d_key, p->d_memory, p->d_memory);
    }
    if (net->pre_norm) norm_back(p, b->norm, n, b->plain, b->scale, dx, dy, dy);
    p->top = top;
}

/* Losses and gradients of `count` replicas: rows and gradients [count, stride], source [count, B, S],
   target [count, B, T + 1]. `sizes`: d, heads, feed-forward, layers, B, words, pre-norm; `room`: floats in `arena`.
   Returns the floats that a replica needs; with no room nothing else happens. */
long passes(const long *sizes, const long *offsets, const float *positions, long count, const float *rows,
            float *gradients, long stride, const int64_t *source, const int64_t *target, float *losses, float *peaks,
            float *arena, long room) {
    const Net net = {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], offsets, positions};
    const long d = net.d, batch = net.batch, wide = net.ff > 3 * d ? net.ff : 3 * d, blocks = 5 * net.layers;
    /* Per token: 3 copies of a block's input, query, key and value of T tokens, the hidden layer, shares. */
    const long need = T * batch * ((blocks + 2) * (10 * d + net.ff + net.heads * T + 1) + 2 * wide + 64 + net.words);
    if (room < need) return need;
    for (long k = 0; k < count; k++) {
        Pass p = {.net = &net, .row = rows + k * stride, .gradient = gradients + k * stride, .top = arena};
        int32_t tokens[2][T * batch], labels[T * batch], counted[2][T * batch];
        float *blocked[2] = {take(&p, S * batch), take(&p, T * batch)};
        for (long b = 0; b < batch; b++) {
            const int64_t *from = source + (k * batch + b) * S, *to = target + (k * batch + b) * (T + 1);
            int scored = 0;
            for (int i = 0; i < T; i++) scored |= (labels[i * batch + b] = (int32_t)to[i + 1]) != 0;
            for (int side = 0; side < 2; side++)
                for (int i = 0; i < (side ? T : S); i++) {
                    int32_t token = tokens[side][i * batch + b] = (int32_t)(side ? to : from)[i];
                    blocked[side][i * batch + b] = token ? 0 : -INFINITY;
                    counted[side][i * batch + b] = -(token && scored);
                }
        }
        for (int side = 0; side < 2; side++) p.blocked[side] = blocked[side], p.counted[side] = counted[side];
        p.spare = take(&p, wide * T * batch);
        p.d_memory = take(&p, d * S * batch);
        memset(p.d_memory, 0, sizeof(float) * d * S * batch);

        Block chain[blocks];
        long made = 0, at = 0;
        const float *table = p.row + offsets[0];
        float *d_table = p.gradient + offsets[0];
        for (int side = 0; side < 2; side++)
            for (long i = 0; i < net.layers; i++)
                for (int kind = SELF; kind <= HIDDEN; kind++) {
                    if (kind == CROSS && !side) continue;
                    Block *b = chain + made++;
                    memset(b, 0, sizeof *b);
                    b->kind = kind, b->causal = side && kind == SELF;
                    b->n = side ? T : S, b->s = kind == CROSS ? S : b->n;
                    at = 6 * (made - 1) + 1;
                    b->first = layer(&p, at), b->second = layer(&p, at + 2), b->norm = layer(&p, at + 4);
                }
        at = 6 * blocks + 1;
        const Layer ends[2] = {layer(&p, at), layer(&p, at + 2)}, out = layer(&p, at + 4);
        float *kept[2], *scales[2], *x = 0;
        for (int side = 0; side < 2; side++) {
            const long n = (side ? T : S) * batch;
            x = embed(&p, table, tokens[side], side ? T : S);
            for (long i = side ? 2 * net.layers : 0; i < (side ? blocks : 2 * net.layers); i++)
                x = forward(&p, chain + i, x);
            float *y = take(&p, d * n);
            kept[side] = take(&p, d * n), scales[side] = take(&p, n);
            norm(&p, ends[side], n, x, y, kept[side], scales[side]);
            if (!side) p.memory = y;
            x = y;
        }
        const long n = T * batch;
        float *logits = take(&p, net.words * n), *dx = take(&p, d * n);
        product(net.words, n, d, out.w, d, 1, x, logits, out.b, 0, 0);
        losses[k] = cross_entropy(net.words, n, logits, labels);

        memset(d_table, 0, sizeof(float) * net.words * d);
        affine_back(&p, out, 0, net.words, d, n, x, logits, dx, 0);
        for (int side = 1; side >= 0; side--) {
            if (!side) dx = p.d_memory;
            norm_back(&p, ends[side], (side ? T : S) * batch, kept[side], scales[side], dx, dx, 0);
            for (long i = side ? blocks : 2 * net.layers; i-- > (side ? 2 * net.layers : 0);)
                backward(&p, chain + i, dx);
            embed_back(&p, d_table, tokens[side], side ? T : S, dx);
        }
        float most = 0;
        for (int i = 0; i < W; i++) most = p.peak[i] > most || p.peak[i] != p.peak[i] ? p.peak[i] : most;
        peaks[k] = most;
    }
    return 0;
}
