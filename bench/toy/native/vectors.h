/* Vectors of W floats, and what the layers are built from: matrix products, transposes, the exponential function. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
#define W 16 /* numbers in a vector */
#define R 8  /* rows of a tile: R times 3 sums must fit into the registers */
#define ALL(F, s) F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s), \
                  F(8, s), F(9, s), F(10, s), F(11, s), F(12, s), F(13, s), F(14, s), F(15, s)
#else
#define W 8
#define R 4
#define ALL(F, s) F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s)
#endif
typedef float vec __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * W)));
typedef int32_t iloose __attribute__((vector_size(4 * W), aligned(4), may_alias));
#define SOME 256 /* products added to a tile before the next one: more rows of B would leave the cache */
#define V(p) (*(vec *)(p))
#define CV(p) (*(const vec *)(p))
#define CI(p) (*(const iloose *)(p))

/* x where the mask is -1, y where it is 0. */
static vec where(ivec mask, vec x, vec y) { return (vec)((mask & (ivec)x) | (~mask & (ivec)y)); }

/* C[m, :] = bias[m] + onto[m, :] + sum over k of a[m*am + k*ak] * B[k, :] for rows x 16v columns. */
#define TILE(NAME, ROWS, VECTORS)                                                                            \
    static void NAME(long ks, const float *a, long am, long ak, const float *b, long ld, float *c,            \
                     const float *bias, const float *onto, int relu) {                                       \
        vec sum[ROWS][VECTORS];                                                                              \
        for (int r = 0; r < ROWS; r++)                                                                       \
            for (int v = 0; v < VECTORS; v++)                                                                \
                sum[r][v] = (onto ? CV(onto + r * ld + v * W) : (vec){0}) + (bias ? bias[r] : 0.0f);         \
        for (long k = 0; k < ks; k++, a += ak, b += ld)                                                      \
            for (int r = 0; r < ROWS; r++)                                                                   \
                for (int v = 0; v < VECTORS; v++) sum[r][v] += a[r * am] * CV(b + v * W);                    \
        for (int r = 0; r < ROWS; r++)                                                                       \
            for (int v = 0; v < VECTORS; v++)                                                                \
                V(c + r * ld + v * W) = relu ? where(sum[r][v] < 0.0f, (vec){0}, sum[r][v]) : sum[r][v];        \
    }
TILE(tile_r3, R, 3)
TILE(tile_r2, R, 2)
TILE(tile_r1, R, 1)
TILE(tile_13, 1, 3)
TILE(tile_12, 1, 2)
TILE(tile_11, 1, 1)
typedef void (*Tile)(long, const float *, long, long, const float *, long, float *, const float *, const float *, int);
static const Tile tiles[2][3] = {{tile_11, tile_12, tile_13}, {tile_r1, tile_r2, tile_r3}};

/* C [ms, ns] = bias [ms] + onto [ms, ns] + A.B, with A[m, k] = a[m*am + k*ak] and B [ks, ns]. */
static void product(long ms, long ns, long ks, const float *a, long am, long ak, const float *b, float *c,
                    const float *bias, const float *onto, int relu) {
    for (long n = 0, v; n < ns; n += v * W) {
        long left = (ns - n) / W;
        v = left == 4 || left == 2 ? 2 : left > 2 ? 3 : 1;
        for (long k = 0; k < ks; k += SOME) {
            const long some = ks - k < SOME ? ks - k : SOME;
            for (long m = 0, rows; m < ms; m += rows) {
                rows = ms - m >= R ? R : 1;
                tiles[rows == R][v - 1](some, a + m * am + k * ak, am, ak, b + k * ns + n, ns, c + m * ns + n,
                                        bias && !k ? bias + m : 0, k ? c + m * ns + n : onto ? onto + m * ns + n : 0,
                                        relu && k + some == ks);
            }
        }
    }
}

#define LOW(j, s) ((j) & (s) ? W + (j) - (s) : (j))
#define HIGH(j, s) ((j) & (s) ? W + (j) : (j) + (s))
#define STAGE(s)                                                             \
    for (int r = 0; r < W; r++)                                              \
        if (!(r & s)) {                                                      \
            vec low = __builtin_shuffle(x[r], x[r + s], (ivec){ALL(LOW, s)}); \
            x[r + s] = __builtin_shuffle(x[r], x[r + s], (ivec){ALL(HIGH, s)}); \
            x[r] = low;                                                      \
        }

/* The transpose of [rows, columns], both multiples of W. */
static void transpose(long rows, long columns, const float *from, float *to) {
    for (long i = 0; i < rows; i += W)
        for (long j = 0; j < columns; j += W) {
            vec x[W];
            for (int r = 0; r < W; r++) x[r] = CV(from + (i + r) * columns + j);
            STAGE(1)
            STAGE(2)
            STAGE(4)
#if W == 16
            STAGE(8)
#endif
            for (int r = 0; r < W; r++) V(to + (j + r) * rows + i) = x[r];
        }
}

static float total(vec x) {
    float sum = 0;
    for (int i = 0; i < W; i++) sum += x[i];
    return sum;
}

static vec larger(vec x, vec y) { return where((x > y) | (x != x), x, y); }

/* exp(x) for x <= 0: 2^n times the Taylor series of the rest, which is below log(2)/2; 0 below -87, and for -inf. */
static vec exponential(vec x) {
    vec low = where(x < -87.0f, (vec){0} - 87.0f, x);
    vec n = (low * 1.44269504f + 12582912.0f) - 12582912.0f; /* rounds to an integer */
    vec r = low - n * 0.693145752f - n * 1.42860677e-6f, y = (vec){0} + 1.0f / 5040;
    y = y * r + 1.0f / 720, y = y * r + 1.0f / 120, y = y * r + 1.0f / 24, y = y * r + 1.0f / 6;
    y = y * r + 0.5f, y = y * r + 1.0f, y = y * r + 1.0f;
    ivec power = (__builtin_convertvector(n, ivec) + 127) << 23;
    return where(x < -87.0f, (vec){0}, y * (vec)power);
}
