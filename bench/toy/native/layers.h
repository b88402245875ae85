/* The layers of one replica with their backward passes, except for attention.

   Every array is [features, N]: N = n*B tokens, position before number, and B is a multiple of W. A vector therefore
   has W numbers of the batch at one position, and all but the matrix products is elementwise along it.
   An array that a function may leave out is a null pointer. */

#ifndef S
#define S 3 /* positions of the source */
#define T 4 /* positions of the target */
#endif


typedef struct { /* one call: all replicas have these sizes */
    long d, heads, ff, layers, batch, words, pre_norm;
    const long *offsets; /* of the parameters in a row, in the order of native.py */
    const float *positions;
} Net;

typedef struct { /* an affine map or a norm: weights, bias and their gradients */
    const float *w, *b;
    float *dw, *db;
} Layer;

typedef struct { /* a residual block and what its backward pass needs */
    enum { SELF, CROSS, HIDDEN } kind;
    int causal;
    long n, s; /* positions of queries and keys */
    Layer first, second, norm;
    float *in, *query, *key, *shares, *mixed, *plain, *scale; /* HIDDEN: `mixed` is the hidden layer */
} Block;

typedef struct { /* one replica at work */
    const Net *net;
    const float *row;
    float *gradient, *top, *end, *spare; /* `spare`: for values needed at once */
    const float *blocked[2];             /* 0, or -inf at padded keys: of the source [S, B], of the target [T, B] */
    const int32_t *counted[2];           /* -1 where a token counts for the peak, else 0 */
    const float *memory;
    float *d_memory;
    vec peak;
} Pass;

static float *take(Pass *p, long n) {
    float *start = p->top;
    p->top += (n + 15) & ~15L;
    return start;
}

static Layer layer(Pass *p, long at) {
    const long *o = p->net->offsets + at;
    return (Layer){p->row + o[0], p->row + o[1], p->gradient + o[0], p->gradient + o[1]};
}

/* The gradients of y = W.x + b by rows [from, from + o) of W: of W, of b and, if wanted, of x, added to `onto`. */
static void affine_back(Pass *p, Layer y, long from, long o, long i, long n, const float *x, const float *dy, float *dx,
                        const float *onto) {
    for (long r = 0; r < o; r++) {
        vec sum = {0};
        for (long j = 0; j < n; j += W) sum += CV(dy + r * n + j);
        y.db[from + r] = total(sum);
    }
    transpose(i, n, x, p->spare);
    product(o, i, n, dy, n, 1, p->spare, y.dw + from * i, 0, 0, 0);
    if (dx) product(i, n, o, y.w + from * i, 1, i, dy, dx, 0, onto, 0);
}

/* LayerNorm over the features; keeps what is normalized and 1/deviation. */
static void norm(Pass *p, Layer at, long n, const float *x, float *y, float *plain, float *scale) {
    long d = p->net->d;
    for (long j = 0; j < n; j += W) {
        vec mean = {0}, square = {0};
        for (long f = 0; f < d; f++) mean += CV(x + f * n + j);
        mean /= (float)d;
        for (long f = 0; f < d; f++) {
            vec apart = CV(x + f * n + j) - mean;
            square += apart * apart;
        }
        square = square / (float)d + 1e-5f;
        for (int i = 0; i < W; i++) scale[j + i] = 1.0f / sqrtf(square[i]);
        for (long f = 0; f < d; f++) {
            vec each = (CV(x + f * n + j) - mean) * CV(scale + j);
            V(plain + f * n + j) = each;
            V(y + f * n + j) = each * at.w[f] + at.b[f];
        }
    }
}

/* The backward pass of `norm`, added to `onto`; `dx` may be `dy`. */
static void norm_back(Pass *p, Layer at, long n, const float *plain, const float *scale, const float *dy, float *dx,
                      const float *onto) {
    long d = p->net->d;
    for (long f = 0; f < d; f++) {
        vec sum = {0}, product_sum = {0};
        for (long j = 0; j < n; j += W) {
            sum += CV(dy + f * n + j);
            product_sum += CV(dy + f * n + j) * CV(plain + f * n + j);
        }
        at.db[f] = total(sum), at.dw[f] = total(product_sum);
    }
    for (long j = 0; j < n; j += W) {
        vec mean = {0}, along = {0};
        for (long f = 0; f < d; f++) {
            vec g = CV(dy + f * n + j) * at.w[f];
            mean += g, along += g * CV(plain + f * n + j);
        }
        mean /= (float)d, along /= (float)d;
        for (long f = 0; f < d; f++) {
            vec g = CV(dy + f * n + j) * at.w[f] - mean - CV(plain + f * n + j) * along;
            V(dx + f * n + j) = g * CV(scale + j) + (onto ? CV(onto + f * n + j) : (vec){0});
        }
    }
}

/* Embeddings with positions: tokens [n, B] -> [d, N]. */
static float *embed(Pass *p, const float *table, const int32_t *tokens, long n) {
    const long d = p->net->d, batch = p->net->batch;
    for (long j = 0; j < n * batch; j++)
        for (long f = 0; f < d; f += W)
            V(p->spare + j * d + f) = CV(table + tokens[j] * d + f) + CV(p->net->positions + j / batch * d + f);
    float *x = take(p, d * n * batch);
    transpose(n * batch, d, p->spare, x);
    return x;
}

/* Adds the gradient of `embed`. */
static void embed_back(Pass *p, float *table, const int32_t *tokens, long n, const float *dx) {
    const long d = p->net->d;
    transpose(d, n * p->net->batch, dx, p->spare);
    for (long j = 0; j < n * p->net->batch; j++)
        for (long f = 0; f < d; f += W) V(table + tokens[j] * d + f) += CV(p->spare + j * d + f);
}

/* Mean cross-entropy over the scored tokens; turns logits [words, N] into its gradient. */
static float cross_entropy(long words, long n, float *logits, const int32_t *labels) {
    double loss = 0, scored = 0;
    for (long j = 0; j < n; j++) scored += labels[j] != 0;
    for (long j = 0; j < n; j += W) {
        vec most = CV(logits + j), sum = {0};
        for (long w = 1; w < words; w++) most = larger(CV(logits + w * n + j), most);
        for (int i = 0; i < W; i++)
            if (labels[j + i]) loss += most[i] - logits[labels[j + i] * n + j + i];
        for (long w = 0; w < words; w++) {
            vec each = exponential(CV(logits + w * n + j) - most);
            V(logits + w * n + j) = each, sum += each;
        }
        vec weight;
        for (int i = 0; i < W; i++) {
            loss += labels[j + i] ? logf(sum[i]) : 0;
            weight[i] = labels[j + i] ? (float)(1 / scored) : 0;
        }
        for (long w = 0; w < words; w++) V(logits + w * n + j) = CV(logits + w * n + j) * (weight / sum);
        for (int i = 0; i < W; i++) logits[labels[j + i] * n + j + i] -= weight[i];
    }
    return (float)(loss / scored);
}
