/* Attention of one replica over very short sequences, and its backward pass. */

/* Attention in one vector of numbers at a time, so that the n x s logits stay in registers. */
static inline __attribute__((always_inline)) void attend(Pass *p, Block *b, const int n, const int s, float *d_mixed,
                                                         float *d_query, float *d_key) {
    const long batch = p->net->batch, features = p->net->d / p->net->heads, values = p->net->d * s * batch;
    const float root = 1.0f / sqrtf((float)features);
    const int of_keys = b->kind == SELF && n == T, of_queries = n == T;
    for (long head = 0; head < p->net->heads; head++)
        for (long at = 0; at < batch; at += W) {
            const long q0 = head * features * n * batch + at, k0 = head * features * s * batch + at;
            vec l[T][T], shares[T][T];
            for (int i = 0; i < n; i++)
                for (int j = 0; j < s; j++) l[i][j] = (vec){0};
            if (d_mixed) {
                for (int i = 0; i < n; i++)
                    for (int j = 0; j < s; j++)
                        shares[i][j] = CV(b->shares + ((head * n + i) * s + j) * batch + at);
                for (long f = 0; f < features; f++)
                    for (int j = 0; j < s; j++) {
                        vec value = CV(b->key + values + k0 + (f * s + j) * batch), sum = {0};
                        for (int i = 0; i < n; i++) {
                            vec dy = CV(d_mixed + q0 + (f * n + i) * batch);
                            l[i][j] += dy * value, sum += dy * shares[i][j];
                        }
                        V(d_key + values + k0 + (f * s + j) * batch) = sum;
                    }
                for (int i = 0; i < n; i++) {
                    vec along = {0};
                    for (int j = 0; j < s; j++) along += l[i][j] * shares[i][j];
                    for (int j = 0; j < s; j++) l[i][j] = shares[i][j] * (l[i][j] - along) * root;
                }
                for (long f = 0; f < features; f++) {
                    vec sums[T];
                    for (int j = 0; j < s; j++) sums[j] = (vec){0};
                    for (int i = 0; i < n; i++) {
                        vec query = CV(b->query + q0 + (f * n + i) * batch), sum = {0};
                        for (int j = 0; j < s; j++)
                            sum += l[i][j] * CV(b->key + k0 + (f * s + j) * batch), sums[j] += l[i][j] * query;
                        V(d_query + q0 + (f * n + i) * batch) = sum;
                    }
                    for (int j = 0; j < s; j++) V(d_key + k0 + (f * s + j) * batch) = sums[j];
                }
                continue;
            }
            for (long f = 0; f < features; f++)
                for (int i = 0; i < n; i++) {
                    vec query = CV(b->query + q0 + (f * n + i) * batch);
                    for (int j = 0; j < s; j++) l[i][j] += query * CV(b->key + k0 + (f * s + j) * batch);
                }
            for (int i = 0; i < n; i++) {
                const int keys = b->causal ? i + 1 : s;
                vec most = {0}, sum = {0};
                for (int j = 0; j < s; j++) {
                    l[i][j] *= root;
                    ivec counts = CI(p->counted[of_queries] + i * batch + at) &
                                  CI(p->counted[of_keys] + j * batch + at);
                    p->peak = larger((vec)((ivec)where(l[i][j] < 0.0f, -l[i][j], l[i][j]) & counts), p->peak);
                    l[i][j] += CV(p->blocked[of_keys] + j * batch + at);
                    if (j < keys) most = j ? larger(l[i][j], most) : l[i][j];
                }
                for (int j = 0; j < s; j++) {
                    shares[i][j] = j < keys ? exponential(l[i][j] - most) : (vec){0};
                    sum += shares[i][j];
                }
                for (int j = 0; j < s; j++) {
                    shares[i][j] /= sum;
                    V(b->shares + ((head * n + i) * s + j) * batch + at) = shares[i][j];
                }
            }
            for (long f = 0; f < features; f++)
                for (int i = 0; i < n; i++) {
                    vec sum = {0};
                    for (int j = 0; j < s; j++)
                        sum += shares[i][j] * CV(b->key + values + k0 + (f * s + j) * batch);
                    V(b->mixed + q0 + (f * n + i) * batch) = sum;
                }
        }
}

static void attention(Pass *p, Block *b, float *d_mixed, float *d_query, float *d_key) {
    if (b->n == S) attend(p, b, S, S, d_mixed, d_query, d_key);
    else if (b->s == T) attend(p, b, T, T, d_mixed, d_query, d_key);
    else attend(p, b, T, S, d_mixed, d_query, d_key);
}
