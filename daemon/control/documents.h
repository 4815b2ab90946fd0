/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon knows, as JSON. The fields are described in docs/control.md. */
#ifndef XENGT_CONTROL_DOCUMENTS_H
#define XENGT_CONTROL_DOCUMENTS_H

#include "guests/guests.h"

struct json_object;

/* A guest in a list, and with all its counters. */
struct json_object *document_guest(const struct guest_info *info);
struct json_object *document_guest_stats(const struct guest_info *info);

/* A type of vGPU; what VFIO says of one is called as there. */
struct json_object *document_type(const struct guests_type_info *info);

struct json_object *document_mapping(const struct guests_mapping *mapping);

/* The back end, the library's counters and the GPU's: what all guests share. */
struct json_object *document_backend(struct guests *guests);
struct json_object *document_library(struct guests *guests);
struct json_object *document_gpu(const struct gpu_stats *stats);

#endif
