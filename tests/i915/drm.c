/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands: Intel's Broadwell PRM, vol. 2a. */
#include "drm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define DEVICE "/dev/dri/renderD128"

#define MI_STORE_DATA_IMM     (0x20u << 23 | 2)
#define MI_BATCH_BUFFER_START (0x31u << 23 | 1u << 8 | 1)
#define MI_BATCH_BUFFER_END   (0x0au << 23)
#define XY_COLOR_BLT          (2u << 29 | 0x50u << 22 | 3u << 20 | 5)
#define XY_SRC_COPY_BLT       (2u << 29 | 0x53u << 22 | 3u << 20 | 8)
#define BR13_32BPP            (3u << 24)
#define BR13_ROP_PATTERN      (0xf0u << 16)
#define BR13_ROP_COPY         (0xccu << 16)

#define USED_MAX 8u

static void must(int ret, const char *what)
{
    if (ret) {
        printf("Bail out! %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* Signals, and i915 itself, ask for another try. */
static int again(int fd, unsigned long request, void *arg)
{
    int ret;

    do {
        ret = ioctl(fd, request, arg);
    } while (ret && (errno == EINTR || errno == EAGAIN));
    return ret;
}

int drm_open(void)
{
    int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

    must(fd < 0, DEVICE);
    return fd;
}

int drm_param(int fd, int param)
{
    int value = 0;
    struct drm_i915_getparam get = {.param = param, .value = &value};

    return again(fd, DRM_IOCTL_I915_GETPARAM, &get) ? -errno : value;
}

void bo_create(int fd, struct bo *bo, size_t size)
{
    struct drm_i915_gem_create create = {.size = size};
    struct drm_i915_gem_mmap map = {.size = size};

    must(again(fd, DRM_IOCTL_I915_GEM_CREATE, &create), "create a buffer object");
    map.handle = create.handle;
    must(again(fd, DRM_IOCTL_I915_GEM_MMAP, &map), "map a buffer object");
    *bo = (struct bo){
        .handle = create.handle,
        .size = size,
        .map = (void *)(uintptr_t)map.addr_ptr,
    };
}

void bo_destroy(int fd, struct bo *bo)
{
    struct drm_gem_close close = {.handle = bo->handle};

    must(again(fd, DRM_IOCTL_GEM_CLOSE, &close), "close a buffer object");
    munmap(bo->map, bo->size);
}

uint32_t context_create(int fd)
{
    struct drm_i915_gem_context_create create = {0};

    must(again(fd, DRM_IOCTL_I915_GEM_CONTEXT_CREATE, &create), "create a context");
    return create.ctx_id;
}

void context_destroy(int fd, uint32_t context)
{
    struct drm_i915_gem_context_destroy destroy = {.ctx_id = context};

    must(again(fd, DRM_IOCTL_I915_GEM_CONTEXT_DESTROY, &destroy), "destroy a context");
}

uint32_t context_resets(int fd, uint32_t context)
{
    struct drm_i915_reset_stats stats = {.ctx_id = context};

    must(again(fd, DRM_IOCTL_I915_GET_RESET_STATS, &stats), "ask for resets");
    return stats.batch_active;
}

int bo_wait(int fd, const struct bo *bo, unsigned seconds)
{
    struct drm_i915_gem_wait wait = {
        .bo_handle = bo->handle,
        .timeout_ns = (int64_t)seconds * 1000000000,
    };

    return again(fd, DRM_IOCTL_I915_GEM_WAIT, &wait) ? -errno : 0;
}

/* --- commands ---------------------------------------------------------------------------- */

void emit(struct batch *batch, uint32_t dword)
{
    if (batch->n < BATCH_DWORDS) {
        batch->dw[batch->n++] = dword;
    }
}

void emit_address(struct batch *batch, const struct bo *bo, uint32_t offset, bool write)
{
    uint64_t address = bo->pinned + offset;

    if (!bo->pinned && batch->relocs < BATCH_RELOCS) {
        batch->reloc[batch->relocs++] = (struct drm_i915_gem_relocation_entry){
            .target_handle = bo->handle,
            .delta = offset,
            .offset = batch->n * sizeof(uint32_t),
            .read_domains = I915_GEM_DOMAIN_RENDER,
            .write_domain = write ? I915_GEM_DOMAIN_RENDER : 0,
        };
    }
    emit(batch, (uint32_t)address);
    emit(batch, (uint32_t)(address >> 32));
}

void emit_store(struct batch *batch, const struct bo *bo, uint32_t offset, uint32_t value)
{
    emit(batch, MI_STORE_DATA_IMM);
    emit_address(batch, bo, offset, true);
    emit(batch, value);
}

/* What all blits begin with: from the buffer's first pixel on, all of each row. */
static void emit_rectangle(struct batch *batch, uint32_t command, uint32_t rop, const struct bo *to,
                           uint32_t pitch, uint32_t rows)
{
    emit(batch, command);
    emit(batch, BR13_32BPP | rop | pitch);
    emit(batch, 0);
    emit(batch, rows << 16 | pitch / 4);
    emit_address(batch, to, 0, true);
}

void emit_fill(struct batch *batch, const struct bo *bo, uint32_t pitch, uint32_t rows,
               uint32_t colour)
{
    emit_rectangle(batch, XY_COLOR_BLT, BR13_ROP_PATTERN, bo, pitch, rows);
    emit(batch, colour);
}

void emit_copy(struct batch *batch, const struct bo *to, const struct bo *from, uint32_t pitch,
               uint32_t rows)
{
    emit_rectangle(batch, XY_SRC_COPY_BLT, BR13_ROP_COPY, to, pitch, rows);
    emit(batch, 0);
    emit(batch, pitch);
    emit_address(batch, from, 0, false);
}

void emit_end(struct batch *batch)
{
    emit(batch, MI_BATCH_BUFFER_END);
    if (batch->n % 2) {
        emit(batch, 0); /* i915 wants whole quadwords */
    }
}

void emit_loop(struct batch *batch, const struct bo *self)
{
    emit(batch, MI_BATCH_BUFFER_START);
    emit_address(batch, self, 0, false);
    emit(batch, 0);
}

/* --- submission -------------------------------------------------------------------------- */

static struct drm_i915_gem_exec_object2 object_of(const struct bo *bo)
{
    struct drm_i915_gem_exec_object2 object = {.handle = bo->handle};

    if (bo->pinned) {
        object.offset = bo->pinned;
        object.flags = EXEC_OBJECT_PINNED | EXEC_OBJECT_SUPPORTS_48B_ADDRESS | EXEC_OBJECT_WRITE;
    }
    return object;
}

int submit(int fd, uint32_t context, uint64_t engine, const struct batch *batch,
           const struct bo *code, const struct bo *const *used, unsigned n)
{
    struct drm_i915_gem_exec_object2 object[USED_MAX + 1] = {0};
    struct drm_i915_gem_execbuffer2 exec = {
        .buffers_ptr = (uintptr_t)object,
        .buffer_count = n + 1,
        .batch_len = batch->n * sizeof(uint32_t),
        .flags = engine,
        .rsvd1 = context,
    };

    if (n > USED_MAX) {
        return -EINVAL;
    }
    memcpy(code->map, batch->dw, exec.batch_len);
    for (unsigned i = 0; i < n; i++) {
        object[i] = object_of(used[i]);
    }
    object[n] = object_of(code);
    object[n].relocs_ptr = (uintptr_t)batch->reloc;
    object[n].relocation_count = batch->relocs;
    return again(fd, DRM_IOCTL_I915_GEM_EXECBUFFER2, &exec) ? -errno : 0;
}
