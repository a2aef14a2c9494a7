// Four numbers at a time, for the kernels.

typedef float v4 __attribute__((vector_size(16)));                // four numbers
typedef float loose __attribute__((vector_size(16), aligned(4))); // at any address

#define EXPORT(name) __attribute__((export_name(#name))) void name

static inline v4 all(float value) { return (v4){value, value, value, value}; }
static inline v4 read4(const float *from) { return *(const loose *)from; }
static inline void write4(float *to, v4 values) { *(loose *)to = values; }
