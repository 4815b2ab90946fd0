/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer's input, taken apart; what is missing at the end reads as zero. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

/* Returns how many bytes there were; the rest of buf is zero. */
static inline size_t input_bytes(struct input *in, void *buf, size_t len)
{
    size_t n = len < in->left ? len : in->left;
    memset(buf, 0, len);
    if (n) {
        memcpy(buf, in->data, n);
    }
    in->data += n;
    in->left -= n;
    return n;
}

static inline uint8_t input_u8(struct input *in)
{
    uint8_t v;
    input_bytes(in, &v, sizeof(v));
    return v;
}

static inline uint16_t input_u16(struct input *in)
{
    uint16_t v;
    input_bytes(in, &v, sizeof(v));
    return v;
}

static inline uint32_t input_u32(struct input *in)
{
    uint32_t v;
    input_bytes(in, &v, sizeof(v));
    return v;
}

static inline uint64_t input_u64(struct input *in)
{
    uint64_t v;
    input_bytes(in, &v, sizeof(v));
    return v;
}

/* A claim about the product: the input that breaks it is kept. */
#define REQUIRE(good, ...)                                  \
    do {                                                    \
        if (!(good)) {                                      \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
            fprintf(stderr, __VA_ARGS__);                   \
            fputc('\n', stderr);                            \
            abort();                                        \
        }                                                   \
    } while (0)

#endif
