// The hot loops of the loop stage: a part of kernels.wasm, as ../kernels.c. Bands, copies and all
// decisions are in the modules beside this file.
//
// Spectra are in planes: rows of a frame's bins, padded to `width` numbers, first the real parts of
// all channels, then the imaginary ones. Planes of one frame are `apart` numbers from each other.

#include "../vectors.h"

enum { SOURCES = 4 };

static const float TINY = 1e-12f;

// ---------------------------------------------------------------------------------------------
// Frames
// ---------------------------------------------------------------------------------------------

enum { FINE = 64 }; // bins whose turns are multiplied from one of few

// Turn the spectra of a frame: bin k by k times an angle, of which cosine and sine are given.
EXPORT(turn)(float *planes, int apart, int n_channels, int width, double cosine, double sine) {
  float fine_re[FINE], fine_im[FINE];
  double re = 1, im = 0, next;
  for (int k = 0; k < FINE; k++) {
    fine_re[k] = (float)re, fine_im[k] = (float)im;
    next = re * cosine - im * sine, im = re * sine + im * cosine, re = next;
  }
  double coarse_re = 1, coarse_im = 0;
  for (int first = 0; first < width; first += FINE) {
    v4 big_re = all((float)coarse_re), big_im = all((float)coarse_im);
    int end = width - first < FINE ? width - first : FINE;
    for (int k = 0; k < end; k += 4) {
      v4 c = read4(fine_re + k), s = read4(fine_im + k);
      v4 turn_re = big_re * c - big_im * s, turn_im = big_re * s + big_im * c;
      for (int channel = 0; channel < n_channels; channel++) {
        v4 *real = (v4 *)(planes + channel * apart + first + k);
        v4 *imag = (v4 *)(planes + (n_channels + channel) * apart + first + k);
        v4 a = *real, b = *imag;
        *real = a * turn_re - b * turn_im;
        *imag = a * turn_im + b * turn_re;
      }
    }
    next = coarse_re * re - coarse_im * im;
    coarse_im = coarse_re * im + coarse_im * re, coarse_re = next;
  }
}

// Mean power over channels of the planes of a frame.
static void power(const float *planes, int apart, int n_planes, int width, float *out) {
  float scale = n_planes > 2 ? 2.0f / n_planes : 1;
  for (int k = 0; k < width; k++) out[k] = planes[k] * planes[k];
  for (int n = 1; n < n_planes; n++) {
    const float *plane = planes + n * apart;
    for (int k = 0; k < width; k++) out[k] += plane[k] * plane[k];
  }
  for (int k = 0; k < width; k++) out[k] *= scale;
}

// Shares of the sources' powers in bytes `[shape=(SOURCES, n_bins)]`, from their spectra: the real
// and the imaginary plane of each source are `apart` from those of the one before.
EXPORT(masks)(const float *re, const float *im, int apart, int n_bins, unsigned char *out) {
  for (int k = 0; k < n_bins; k++) {
    float powers[SOURCES], sum = 0;
    for (int s = 0; s < SOURCES; s++) {
      float a = re[s * apart + k], b = im[s * apart + k];
      powers[s] = a * a + b * b + TINY;
      sum += powers[s];
    }
    float scale = 255 / sum;
    for (int s = 0; s < SOURCES; s++)
      out[s * n_bins + k] = (unsigned char)(int)__builtin_rintf(powers[s] * scale);
  }
}

// ---------------------------------------------------------------------------------------------
// The beat of a frame, as in hiphopss/loops/beat.py
// ---------------------------------------------------------------------------------------------

// What is known of a frame. All arrays but the mixture's have their planes one after another.
typedef struct {
  int width, n_bins, n_bands, n_planes, apart;
  const int *edges;  // first bins of the bands, and the number of bins
  float *powers;     // of the sources, here or in a copy
  float *own;        // of the sources here, floor included
  float *shares;     // how much of each source repeats
  float *heard;      // powers of the sources in the copies
  float *repeating;  // sum of what repeats of them
  float *precision;  // of what the copies say of the beat
  float *weighted;   // sum of the copies, each as often as it counts
  float *beat, *rest;
  float *of_beat, *of_rest; // shares of each source in them
  float *work;       // 4 planes
} Frame;

// Values of bands for each bin.
static void spread(const Frame *f, const float *bands, float *out) {
  for (int b = 0; b < f->n_bands; b++)
    for (int k = f->edges[b]; k < f->edges[b + 1]; k++) out[k] = bands[b];
}

// Powers of the sources by their masks and the mixture's power, which is left in the last plane.
static void heard_powers(const Frame *f, const float *mixture, const unsigned char *masks) {
  float *all_of_it = f->work + 3 * f->width;
  power(mixture, f->apart, f->n_planes, f->width, all_of_it);
  for (int k = 0; k < f->width; k++) all_of_it[k] *= 1.0f / 255;
  for (int s = 0; s < SOURCES; s++) {
    float *powers = f->powers + s * f->width;
    const unsigned char *mask = masks + s * f->n_bins;
    for (int k = 0; k < f->n_bins; k++) powers[k] = mask[k] * all_of_it[k];
  }
}

// Begin with a frame. `shares` tells for each band how much of each source repeats.
EXPORT(begin)(const Frame *f, const float *mixture, const unsigned char *masks, const float *shares,
              float floor) {
  int width = f->width;
  heard_powers(f, mixture, masks);
  float *least = f->work;
  for (int k = 0; k < width; k++) {
    const float *p = f->powers + k;
    float sum = p[0] + p[width] + p[2 * width] + p[3 * width];
    least[k] = (k < f->edges[1] ? 0 : floor) * sum + TINY;
    f->repeating[k] = f->precision[k] = 0;
  }
  for (int s = 0; s < SOURCES; s++) {
    float *share = f->shares + s * width, *own = f->own + s * width, *heard = f->heard + s * width;
    const float *powers = f->powers + s * width;
    spread(f, shares + s * f->n_bands, share);
    for (int k = 0; k < width; k++) {
      own[k] = powers[k] + least[k];
      f->repeating[k] += share[k] * own[k];
      heard[k] = 0;
    }
  }
  for (int k = 0; k < f->n_planes * width; k++) f->weighted[k] = 0;
}

// Add what a copy tells. For each band: how clear it is, how much its disagreement counts, and how
// much it is believed.
EXPORT(add_copy)(const Frame *f, const float *mixture, const unsigned char *masks,
                 const float *clear, const float *doubts, const float *believed) {
  int width = f->width;
  float *weight = f->work, *doubt = weight + width, *belief = doubt + width;
  heard_powers(f, mixture, masks);
  spread(f, clear, weight);
  spread(f, doubts, doubt);
  spread(f, believed, belief);
  for (int k = 0; k < width; k++) {
    const float *p = f->powers + k, *s = f->shares + k;
    float rest = (1 - s[0]) * p[0] + (1 - s[width]) * p[width];
    rest += (1 - s[2 * width]) * p[2 * width] + (1 - s[3 * width]) * p[3 * width];
    weight[k] /= doubt[k] * f->repeating[k] + rest + TINY;
    f->precision[k] += weight[k];
  }
  for (int n = 0; n < f->n_planes; n++) {
    float *weighted = f->weighted + n * width;
    const float *copy = mixture + n * f->apart;
    for (int k = 0; k < width; k++) weighted[k] += weight[k] * copy[k];
  }
  for (int s = 0; s < SOURCES; s++) {
    float *heard = f->heard + s * width;
    const float *powers = f->powers + s * width;
    for (int k = 0; k < width; k++) heard[k] += belief[k] * powers[k];
  }
}

static void sum_of(const float *planes, int width, float *out) {
  const float *a = planes, *b = a + width, *c = b + width, *d = c + width;
  for (int k = 0; k < width; k++) out[k] = a[k] + b[k] + c[k] + d[k] + TINY;
}

// Rounds of expectation and maximisation: beat and rest, and the shares of the sources in them.
EXPORT(estimate)(const Frame *f, const float *mixture, float averaged, float most_raised,
                 int rounds) {
  int width = f->width, of_sources = SOURCES * width;
  float *powers = f->powers, *of_beat = f->of_beat, *of_rest = f->of_rest;
  float *trust = f->repeating, *scale = f->work, *doubt = scale + width;
  float *heard_of_all = doubt + width, *variance = heard_of_all + width;
  for (int k = 0; k < width; k++) {
    float known = f->precision[k] * f->repeating[k];
    trust[k] = known / (known + 1);
  }
  for (int k = 0; k < of_sources; k++) {
    f->heard[k] *= averaged * f->shares[k];
    powers[k] = f->own[k];
  }
  sum_of(f->heard, width, heard_of_all);
  for (int turn = 1;; turn++) {
    for (int k = 0; k < of_sources; k++) {
      of_beat[k] = f->shares[k] * powers[k];
      of_rest[k] = powers[k] - of_beat[k];
    }
    sum_of(of_beat, width, scale);
    sum_of(of_rest, width, doubt);
    for (int k = 0; k < width; k++) {
      doubt[k] = 1 / doubt[k];
      variance[k] = 1 / (f->precision[k] + doubt[k] + 1 / scale[k]);
      scale[k] = 1 / (scale[k] + heard_of_all[k]); // what makes shares of these powers
    }
    for (int n = 0; n < f->n_planes; n++) {
      const float *here = mixture + n * f->apart, *weighted = f->weighted + n * width;
      float *beat = f->beat + n * width, *rest = f->rest + n * width;
      for (int k = 0; k < width; k++) {
        beat[k] = (here[k] * doubt[k] + weighted[k]) * variance[k];
        rest[k] = here[k] - beat[k];
      }
    }
    for (int k = 0; k < of_sources; k++) of_beat[k] += f->heard[k];
    if (turn >= rounds) break;
    power(f->beat, width, f->n_planes, width, variance);
    for (int k = 0; k < width; k++) scale[k] *= trust[k] * variance[k];
    power(f->rest, width, f->n_planes, width, variance);
    for (int k = 0; k < width; k++) doubt[k] *= trust[k] * variance[k];
    for (int s = 0; s < SOURCES; s++) {
      float *next = powers + s * width;
      const float *own = f->own + s * width, *beat = of_beat + s * width,
                  *rest = of_rest + s * width;
      for (int k = 0; k < width; k++) {
        float found = (1 - trust[k]) * own[k] + beat[k] * scale[k] + rest[k] * doubt[k];
        float most = most_raised * own[k];
        next[k] = found < most ? found : most;
      }
    }
  }
  for (int s = 0; s < SOURCES; s++) {
    float *beat = of_beat + s * width, *rest = of_rest + s * width;
    for (int k = 0; k < width; k++) beat[k] *= scale[k], rest[k] *= doubt[k];
  }
}

// A plane of a source's stem.
EXPORT(stem)(const Frame *f, int source, int plane, float *out) {
  int width = f->width;
  const float *of_beat = f->of_beat + source * width, *of_rest = f->of_rest + source * width;
  const float *beat = f->beat + plane * width, *rest = f->rest + plane * width;
  for (int k = 0; k < width; k++) out[k] = of_beat[k] * beat[k] + of_rest[k] * rest[k];
}

// ---------------------------------------------------------------------------------------------
// Likeness of frames, as in hiphopss/loops/agreement.py
// ---------------------------------------------------------------------------------------------

// A source's spectra `[shape=(n_frames, n, 2)]` out of the mixture's, by its mask in bytes; of all
// that is not the source if `others`.
EXPORT(masked)(const float *spectra, const unsigned char *mask, int n, int others, float *out) {
  for (int k = 0; k < n; k++) {
    float share = (others ? 255 - mask[k] : mask[k]) * (1.0f / 255);
    out[2 * k] = share * spectra[2 * k];
    out[2 * k + 1] = share * spectra[2 * k + 1];
  }
}

// Real part of products of two signals' spectra `[shape=(n_frames, n_compared, 2)]`, summed in
// bands, which begin at `starts`.
EXPORT(products)(const float *one, const float *other, int n_frames, const int *starts, int n_bands,
                 float *out) {
  int n = 2 * starts[n_bands];
  for (int frame = 0; frame < n_frames; frame++, one += n, other += n, out += n_bands) {
    for (int band = 0; band < n_bands; band++) {
      int k = 2 * starts[band], end = 2 * starts[band + 1];
      v4 sum = all(0);
      for (; k + 4 <= end; k += 4) sum += read4(one + k) * read4(other + k);
      out[band] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
      for (; k < end; k++) out[band] += one[k] * other[k];
    }
  }
}

// Mean of `span` values around each, an odd number; beyond the ends the outermost are repeated.
// `line` has room for n_frames numbers.
EXPORT(smooth)(float *values, int n_frames, int n_bands, int span, float *line) {
  int half = span / 2, last = n_frames - 1;
  double share = 1.0 / span;
  for (int band = 0; band < n_bands; band++) {
    float *to = values + band;
    double sum = 0;
    for (int n = 0; n < n_frames; n++) line[n] = to[n * n_bands];
    for (int n = -half; n <= half; n++) sum += line[n < 0 ? 0 : n < last ? n : last];
    for (int n = 0; n < n_frames; n++) {
      int next = n + half + 1, old = n - half;
      to[n * n_bands] = (float)(sum * share);
      sum += (double)line[next < last ? next : last] - line[old < 0 ? 0 : old];
    }
  }
}

// Likeness out of smoothed products, by the energies of the two places.
EXPORT(likeness)(float *values, const float *early, const float *late, int n, float least) {
  for (int k = 0; k < n; k++) {
    float scale = __builtin_sqrtf(early[k] * late[k]);
    float found = values[k] / (scale > least ? scale : least);
    values[k] = found > 1 ? 1 : found < -1 ? -1 : found;
  }
}

// Mean of likenesses over bands, in which loud ones count more.
EXPORT(broad)(const float *values, const float *early, const float *late, int n_frames, int n_bands,
              float *out) {
  for (int frame = 0; frame < n_frames; frame++) {
    float total = 0, weights = 0;
    for (int k = frame * n_bands; k < (frame + 1) * n_bands; k++) {
      float weight = __builtin_sqrtf(__builtin_sqrtf(early[k] * late[k]));
      total += weight * values[k];
      weights += weight;
    }
    out[frame] = total / (weights + 1e-12f);
  }
}

// The nearest number of half precision, as its bits; for magnitudes up to 1.
static unsigned short half_of(float value) {
  union { float number; unsigned bits; } as = {value};
  unsigned sign = as.bits >> 16 & 0x8000, bits = as.bits & 0x7fffffff;
  if (bits < 0x38800000) { // below 2^-14, whole multiples of 2^-24
    as.bits = bits;
    return sign | (unsigned)(int)__builtin_rintf(as.number * 16777216.0f);
  }
  unsigned odd = bits >> 13 & 1;
  return sign | (bits - 0x38000000 + 0xfff + odd) >> 13;
}

// Values of frames times what is left of each, in half precision.
EXPORT(halves)(const float *values, const float *left, int n_frames, int n_bands,
               unsigned short *out) {
  for (int frame = 0; frame < n_frames; frame++)
    for (int k = frame * n_bands; k < (frame + 1) * n_bands; k++)
      out[k] = half_of(values[k] * left[frame]);
}

// Add a signal's spectra, times weights of bands.
EXPORT(add_weighted)(float *sums, const float *spectra, const float *weights, int n_frames,
                     const int *starts, int n_bands) {
  int n = 2 * starts[n_bands];
  for (int frame = 0; frame < n_frames; frame++, sums += n, spectra += n, weights += n_bands)
    for (int band = 0; band < n_bands; band++)
      for (int k = 2 * starts[band]; k < 2 * starts[band + 1]; k++)
        sums[k] += weights[band] * spectra[k];
}

// ---------------------------------------------------------------------------------------------
// The period, as in hiphopss/loops/period.py
// ---------------------------------------------------------------------------------------------

// Add to the spectrum of a correlation, delayed by half of its length, that of two more blocks.
EXPORT(correlate)(float *re, float *im, const float *early_re, const float *early_im,
                  const float *late_re, const float *late_im, int n) {
  const v4 sign = {1, -1, 1, -1};
  for (int k = 0; k < n; k += 4) {
    v4 a = read4(early_re + k), b = read4(early_im + k), c = read4(late_re + k),
       d = read4(late_im + k);
    *(v4 *)(re + k) += sign * (a * c + b * d);
    *(v4 *)(im + k) += sign * (a * d - b * c);
  }
}
