/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The GPU behind all vGPUs: a small table of operations. It holds one global GTT, shared out in
 * windows, and runs what its clients (one per vGPU) submit. It knows bus addresses and PTEs;
 * guest frame numbers do not exist here.
 *
 * Work is asynchronous: submit() queues, run() works for a bounded time. The owner of the GPU
 * calls run() from its event loop as long as it answers that there is more to do.
 */
#ifndef XENGT_GPU_GPU_H
#define XENGT_GPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/engines.h"
#include "gen/pte.h"

struct gpu;
struct gpu_client;

/* A range of the global GTT, in entries of one page. */
struct gpu_range {
    uint32_t first;
    uint32_t count;
};
#define GPU_RANGES 2 /* mappable and unmappable window */

/*
 * Page tables: the global GTT is table 0, those of PPGTTs are made by table_alloc(), 512 entries
 * each. A table's number is the number of the frame it occupies in the GPU's address space, so
 * that an entry of the level above points to it as to any page.
 */
#define GPU_GGTT          0u
#define GPU_TABLE_ENTRIES 512u

struct gpu_pte_write {
    uint32_t table;
    uint32_t index;
    uint64_t pte;
};

/* What non-privileged commands are translated by. levels 0: there is no PPGTT. */
struct gpu_root {
    unsigned levels;   /* 4: table[0] is the PML4; 3: four page directories */
    uint32_t table[4]; /* 0: not there */
};

/* Commands of a guest, copied and checked: no memory of the guest's is behind them. */
struct gpu_buffer {
    uint64_t address; /* in the global GTT: where the guest has them */
    const uint32_t *dw;
    uint32_t count; /* dwords */
    bool run;       /* false: reached by an MI_BATCH_BUFFER_START to its address only */
};

/*
 * What an engine is to do: the buffers marked run, one after the other (a ring's new commands,
 * before them what a context wants to be run at its start). A privileged batch (global GTT) is
 * one of the other buffers, or the engine stops; a batch in the PPGTT is fetched by the engine.
 */
struct gpu_workload {
    struct gpu_root root;
    uint64_t context;     /* engine registers (GPRs, predicates) of another context start at 0 */
    uint64_t status_page; /* GGTT address that indexed stores are relative to */
    const struct gpu_buffer *buffer;
    size_t buffers;
};

/* Where an engine stands. The counters never go back and may wrap. */
struct gpu_engine_state {
    bool idle;                  /* nothing to do, or stopped by an error */
    bool error;                 /* stopped by a command it could not execute */
    uint32_t done;              /* workloads completed */
    uint64_t acthd;             /* address of the command in work */
    uint32_t ipehr;             /* header of the last command */
    uint32_t user_interrupts;   /* MI_USER_INTERRUPTs */
    uint32_t notify_interrupts; /* PIPE_CONTROLs and MI_FLUSH_DWs with notify */
    char reason[96];            /* with error: why, for people */
};

/* Of the whole GPU, or of a client; what concerns the GTT is counted for the GPU only. */
struct gpu_stats {
    uint64_t commands;
    uint64_t submissions;
    uint64_t invalidates;
    uint64_t ptes_written;
    uint64_t dma_reads; /* a copy is a read and a write */
    uint64_t dma_writes;
    uint64_t dma_bytes;  /* read and written */
    uint64_t dma_faults; /* transfers that failed */
    uint64_t busy;       /* time of work, in nanoseconds */
    uint64_t denied;     /* not done: no privilege for it, or a store to a read-only page */
};

struct gpu_ops {
    const char *name;

    /*
     * A client may use the entries of its ranges and no others. Its entries hold its scratch
     * PTE at first. A range of count 0 is none. weight: its share of the GPU's time while others
     * have work, too; 0 is 1. -ENOSPC: the ranges overlap each
     * other or another client's, or exceed the GTT; -ENOMEM.
     */
    int (*client_open)(struct gpu *gpu, const struct gpu_range ranges[GPU_RANGES], uint32_t weight,
                       struct gpu_client **out);
    /* The client's engines are stopped and its entries are back to scratch before this. */
    void (*client_close)(struct gpu_client *client);

    /*
     * A page table of a PPGTT with every entry set to pte: level 1 points to pages, higher ones
     * to tables. Usable at once; nothing points to it yet. -ENOMEM; -ENOSPC: as many as there
     * can be.
     */
    int (*table_alloc)(struct gpu *gpu, unsigned level, uint64_t pte, uint32_t *table);

    /* No entry points to it any more, and the TLB was invalidated since. */
    void (*table_free)(struct gpu *gpu, uint32_t table);

    /*
     * Writes n PTEs. They may be used by the GPU from that moment on. An index beyond its table,
     * or a table that is none, is skipped.
     */
    void (*write_ptes)(struct gpu *gpu, const struct gpu_pte_write *write, size_t n);

    /* What n entries of a table hold now, from first on; 0 beyond it. */
    void (*read_ptes)(const struct gpu *gpu, uint32_t table, uint32_t first, uint32_t n,
                      uint64_t *pte);

    /* When it returns the GPU uses no translation that was written over before the call. */
    void (*invalidate)(struct gpu *gpu);

    /*
     * Gives an engine that is idle its next workload, copied by the call. -EBUSY: it is at work;
     * -EIO: it stopped on an error and waits for its reset; -ENOMEM; -EINVAL: nothing to run.
     */
    int (*execute)(struct gpu_client *client, enum gpu_engine engine,
                   const struct gpu_workload *workload);

    void (*engine_state)(struct gpu_client *client, enum gpu_engine engine,
                         struct gpu_engine_state *state);

    /* A paused client keeps its work and is not run. */
    void (*pause)(struct gpu_client *client, bool paused);

    /* Stops the engine and forgets its work; clears an error. */
    void (*reset)(struct gpu_client *client, enum gpu_engine engine);

    /*
     * Works for budget, in nanoseconds, or for one step if that takes longer: a command, or one
     * transfer of a blit (a row, a page at most). Clients take turns as their weights say. True:
     * there is more to do. An engine that waits for a value in memory (MI_SEMAPHORE_WAIT) looks at
     * it once a call, and again when another engine has worked since; it is no reason for true.
     */
    bool (*run)(struct gpu *gpu, uint64_t budget);

    /*
     * Does any engine wait for a value in memory? Guests change memory unseen, so that when
     * run() has nothing more to do, its owner calls it again in a while: a millisecond, say.
     */
    bool (*waiting)(const struct gpu *gpu);

    /* What the client's TIMESTAMP registers show: units of 80 ns since it was opened, 36 bits. */
    uint64_t (*ticks)(const struct gpu_client *client);

    /* Does the GPU hold this frame, in a PTE or its TLB? For checks, not for speed. */
    bool (*holds)(struct gpu *gpu, uint64_t frame);

    void (*get_stats)(const struct gpu *gpu, struct gpu_stats *stats);
    void (*client_stats)(const struct gpu_client *client, struct gpu_stats *stats);
    void (*close)(struct gpu *gpu);
};

/* Implementations embed these as their first members. */
struct gpu {
    const struct gpu_ops *ops;
    uint32_t gtt_entries;
};

struct gpu_client {
    struct gpu *gpu;
    uint64_t scratch_pte; /* what an entry of its holds that maps nothing: present, and behind it is
                             a page that no other client reads or writes, zeroed at first */
};

static inline uint64_t gpu_read_pte(const struct gpu *gpu, uint32_t table, uint32_t index)
{
    uint64_t pte;
    gpu->ops->read_ptes(gpu, table, index, 1, &pte);
    return pte;
}

/* What an entry holds that points to a page table. */
static inline uint64_t gpu_pte_of_table(uint32_t table)
{
    return (uint64_t)table << 12 | GPU_PTE_PRESENT | GPU_PTE_WRITABLE;
}

#endif
