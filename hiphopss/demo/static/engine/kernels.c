// The hot loops of the engine, for WebAssembly with SIMD: `make wasm` compiles this file and
// loops/loops.c to kernels.wasm. There is no library and no heap: all arrays are given by their
// addresses, and kernels.js hands out memory. Numbers are in single precision, and all arrays begin
// at multiples of 16 bytes.

#include "vectors.h"

static v4 larger(v4 a, v4 b) { return __builtin_wasm_pmax_f32x4(a, b); }

static void transpose(v4 *a, v4 *b, v4 *c, v4 *d) {
  v4 ab_low = __builtin_shufflevector(*a, *b, 0, 4, 1, 5);
  v4 ab_high = __builtin_shufflevector(*a, *b, 2, 6, 3, 7);
  v4 cd_low = __builtin_shufflevector(*c, *d, 0, 4, 1, 5);
  v4 cd_high = __builtin_shufflevector(*c, *d, 2, 6, 3, 7);
  *a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  *b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  *c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  *d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

// ---------------------------------------------------------------------------------------------
// Matrix product
// ---------------------------------------------------------------------------------------------

enum { PANEL = 8 }; // columns that are computed together

// `rows` rows of a product, at most four, for one panel of eight columns.
static inline __attribute__((always_inline)) void tile(
    float *out, int out_stride, const float *a, int a_stride, const float *panel, int depth,
    int rows, const float *start, int add) {
  v4 left[4], right[4];
  for (int r = 0; r < rows; r++) {
    const float *from = add ? out + r * out_stride : start;
    left[r] = from ? read4(from) : all(0);
    right[r] = from ? read4(from + 4) : all(0);
  }
  for (int k = 0; k < depth; k++, panel += PANEL) {
    v4 low = read4(panel), high = read4(panel + 4);
    for (int r = 0; r < rows; r++) {
      v4 factor = all(a[r * a_stride + k]);
      left[r] += factor * low;
      right[r] += factor * high;
    }
  }
  for (int r = 0; r < rows; r++) {
    write4(out + r * out_stride, left[r]);
    write4(out + r * out_stride + 4, right[r]);
  }
}

// out = a b + start, for each row; `add`: out += a b. Rows of `a` may overlap. The columns of `b`
// are in panels of eight: panel, row, column. `start` has a number a column, or is 0 for zeros.
EXPORT(matmul)(float *out, int out_stride, const float *a, int a_stride, const float *b, int rows,
               int depth, int n_panels, const float *start, int add) {
  for (int p = 0; p < n_panels; p++) {
    const float *panel = b + p * depth * PANEL;
    const float *begin = start ? start + p * PANEL : 0;
    float *to = out + p * PANEL;
    int r = 0;
    for (; r + 4 <= rows; r += 4)
      tile(to + r * out_stride, out_stride, a + r * a_stride, a_stride, panel, depth, 4, begin,
           add);
    for (; r < rows; r++)
      tile(to + r * out_stride, out_stride, a + r * a_stride, a_stride, panel, depth, 1, begin,
           add);
  }
}

// x = max(x, 0)
EXPORT(rectify)(float *x, int n) {
  for (int i = 0; i < n; i += 4) write4(x + i, larger(read4(x + i), all(0)));
}

// ---------------------------------------------------------------------------------------------
// Real Fourier transform of windowed frames, four at a time: one in each lane
// ---------------------------------------------------------------------------------------------

typedef struct {
  v4 re, im;
} lanes;

// Complex transform of `length` points, a power of two; returns which of the two arrays has the
// result. turns[j] is exp(-i pi j / length).
static lanes *transform(lanes *from, lanes *to, int length, const float *turns) {
  int n = length, stride = 1;
  for (; n > 2; n /= 4, stride *= 4) {
    int quarter = n / 4;
    for (int p = 0; p < quarter; p++) {
      const float *t1 = turns + 4 * p * stride, *t2 = turns + 8 * p * stride,
                  *t3 = turns + 12 * p * stride;
      v4 c1 = all(t1[0]), s1 = all(t1[1]), c2 = all(t2[0]), s2 = all(t2[1]), c3 = all(t3[0]),
         s3 = all(t3[1]);
      const lanes *x = from + p * stride;
      lanes *y = to + 4 * p * stride;
      for (int q = 0; q < stride; q++, x++, y++) {
        lanes a = x[0], b = x[quarter * stride], c = x[2 * quarter * stride],
              d = x[3 * quarter * stride];
        v4 sum_re = a.re + c.re, sum_im = a.im + c.im, apart_re = a.re - c.re,
           apart_im = a.im - c.im;
        v4 other_re = b.re + d.re, other_im = b.im + d.im;
        v4 turned_re = b.im - d.im, turned_im = d.re - b.re; // -i (b - d)
        y[0].re = sum_re + other_re;
        y[0].im = sum_im + other_im;
        v4 re = apart_re + turned_re, im = apart_im + turned_im;
        y[stride].re = re * c1 - im * s1;
        y[stride].im = re * s1 + im * c1;
        re = sum_re - other_re, im = sum_im - other_im;
        y[2 * stride].re = re * c2 - im * s2;
        y[2 * stride].im = re * s2 + im * c2;
        re = apart_re - turned_re, im = apart_im - turned_im;
        y[3 * stride].re = re * c3 - im * s3;
        y[3 * stride].im = re * s3 + im * c3;
      }
    }
    lanes *swap = from;
    from = to;
    to = swap;
  }
  if (n == 2) {
    for (int q = 0; q < stride; q++) {
      lanes a = from[q], b = from[q + stride];
      to[q] = (lanes){a.re + b.re, a.im + b.im};
      to[q + stride] = (lanes){a.re - b.re, a.im - b.im};
    }
    return to;
  }
  return from;
}

static int least(int a, int b) { return a < b ? a : b; }

// Spectra of frames: of `frame` samples from samples[starts[i]] on, times the window. Rows of real
// and imaginary parts have `width` numbers, at least frame / 2 + 4; those after the bins become 0.
// `turns` has `frame` pairs of exp(-2 pi i j / frame), `scratch` room for 8 (frame + 16) numbers.
EXPORT(analyse)(float *re, float *im, int width, const float *samples, const int *starts, int n,
                const float *window, int frame, const float *turns, float *scratch) {
  int half = frame / 2;
  lanes *x = (lanes *)scratch, *y = x + half + 4;
  for (int first = 0; first < n; first += 4) {
    int count = least(4, n - first);
    const float *of[4];
    for (int lane = 0; lane < 4; lane++)
      of[lane] = samples + starts[first + least(lane, count - 1)];
    for (int k = 0; k < half; k += 2) {
      v4 shape = read4(window + 2 * k);
      v4 a = read4(of[0] + 2 * k) * shape, b = read4(of[1] + 2 * k) * shape,
         c = read4(of[2] + 2 * k) * shape, d = read4(of[3] + 2 * k) * shape;
      transpose(&a, &b, &c, &d);
      x[k] = (lanes){a, b};
      x[k + 1] = (lanes){c, d};
    }
    lanes *z = transform(x, y, half, turns);
    for (int k = 0; k < width; k += 4) {
      v4 real[4], imag[4];
      for (int j = 0; j < 4; j++) {
        real[j] = imag[j] = all(0);
        if (k + j > half) continue;
        lanes p = z[(k + j) % half], q = z[(half - k - j) % half];
        const float *turn = turns + 2 * (k + j);
        v4 even_re = p.re + q.re, even_im = p.im - q.im;
        v4 odd_re = p.im + q.im, odd_im = q.re - p.re;
        real[j] = all(0.5f) * (even_re + odd_re * all(turn[0]) - odd_im * all(turn[1]));
        imag[j] = all(0.5f) * (even_im + odd_re * all(turn[1]) + odd_im * all(turn[0]));
      }
      transpose(&real[0], &real[1], &real[2], &real[3]);
      transpose(&imag[0], &imag[1], &imag[2], &imag[3]);
      for (int lane = 0; lane < count; lane++) {
        write4(re + (first + lane) * width + k, real[lane]);
        write4(im + (first + lane) * width + k, imag[lane]);
      }
    }
  }
}

// Adds the inverse of spectra, times the window, to samples[starts[i]] and those after it. The
// other arguments are as in `analyse`; imaginary parts of the first and the last bin don't count.
EXPORT(synthesise)(float *samples, const int *starts, const float *re, const float *im, int width,
                   int n, const float *window, int frame, const float *turns, float *scratch) {
  int half = frame / 2;
  lanes *x = (lanes *)scratch, *y = x + half + 4;
  v4 scale = all(0.5f / half);
  for (int first = 0; first < n; first += 4) {
    int count = least(4, n - first);
    for (int k = 0; k <= half; k += 4) {
      v4 real[4], imag[4];
      for (int lane = 0; lane < 4; lane++) {
        int row = (first + least(lane, count - 1)) * width + k;
        real[lane] = read4(re + row);
        imag[lane] = read4(im + row);
      }
      transpose(&real[0], &real[1], &real[2], &real[3]);
      transpose(&imag[0], &imag[1], &imag[2], &imag[3]);
      for (int j = 0; j < 4; j++) x[k + j] = (lanes){real[j], imag[j]};
    }
    x[0].im = x[half].im = all(0);
    for (int k = 0; k < half; k++) {
      lanes p = x[k], q = x[half - k];
      const float *turn = turns + 2 * k;
      v4 even_re = p.re + q.re, even_im = p.im - q.im;
      v4 odd_re = p.re - q.re, odd_im = p.im + q.im;
      v4 re_ = odd_re * all(turn[0]) + odd_im * all(turn[1]);
      v4 im_ = odd_im * all(turn[0]) - odd_re * all(turn[1]);
      // Real and imaginary parts change places, which makes the transform inverse.
      y[k].im = scale * (even_re - im_);
      y[k].re = scale * (even_im + re_);
    }
    lanes *z = transform(y, x, half, turns);
    for (int k = 0; k < half; k += 2) {
      v4 a = z[k].im, b = z[k].re, c = z[k + 1].im, d = z[k + 1].re;
      transpose(&a, &b, &c, &d);
      v4 parts[4] = {a, b, c, d}, shape = read4(window + 2 * k);
      for (int lane = 0; lane < count; lane++) {
        float *to = samples + starts[first + lane] + 2 * k;
        write4(to, read4(to) + parts[lane] * shape);
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Spectra and masks
// ---------------------------------------------------------------------------------------------

// out = scale * |re + i im|
EXPORT(magnitudes)(float *out, const float *re, const float *im, float scale, int n) {
  for (int i = 0; i < n; i += 4) {
    v4 a = read4(re + i), b = read4(im + i);
    write4(out + i, all(scale) * __builtin_wasm_sqrt_f32x4(a * a + b * b));
  }
}

// out = a * b
EXPORT(multiply)(float *out, const float *a, const float *b, int n) {
  for (int i = 0; i < n; i += 4) write4(out + i, read4(a + i) * read4(b + i));
}

// out += a
EXPORT(add)(float *out, const float *a, int n) {
  for (int i = 0; i < n; i += 4) write4(out + i, read4(out + i) + read4(a + i));
}

// x *= factor
EXPORT(scale)(float *x, float factor, int n) {
  for (int i = 0; i < n; i += 4) write4(x + i, read4(x + i) * all(factor));
}

// x *= pattern, which has `period` numbers and comes again and again
EXPORT(scale_by)(float *x, const float *pattern, int period, int n) {
  for (int i = 0; i < n; i += period)
    for (int j = 0; j < period; j += 4)
      write4(x + i + j, read4(x + i + j) * read4(pattern + j));
}

// Biases, rectifiers and soft masks of a patch, weighted and added to the joined masks.
// of: first output of each of the four sources [frames, width]; lift: [4, frames, width];
// floor: [frames, width]; weights: [frames]; joined: [4, joined_frames, width]. `out` takes the
// place of `joined` if it is not 0: what would be added is written there [4, frames, width].
EXPORT(soft_masks)(float *joined, int joined_frames, float *const *of, const float *weights,
                   const float *lift, const float *floor, int frames, int width, float *out) {
  int size = frames * width;
  for (int frame = 0; frame < frames; frame++) {
    v4 weight = all(weights[frame]);
    for (int bin = 0; bin < width; bin += 4) {
      int at = frame * width + bin;
      v4 least_ = read4(floor + at), raised[4], total = all(0);
      for (int s = 0; s < 4; s++) {
        raised[s] = larger(read4(of[s] + at) + read4(lift + s * size + at), least_);
        total += raised[s];
      }
      v4 factor = weight / total;
      for (int s = 0; s < 4; s++) {
        if (out) {
          write4(out + s * size + at, raised[s] * factor);
        } else {
          float *to = joined + s * joined_frames * width + at;
          write4(to, read4(to) + raised[s] * factor);
        }
      }
    }
  }
}
