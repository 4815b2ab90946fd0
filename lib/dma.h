/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory for DMA at the end of its handle. */
#ifndef XENGT_LIB_DMA_H
#define XENGT_LIB_DMA_H

#include "handle.h"

void dma_free_all(struct xengt *xg);

#endif
