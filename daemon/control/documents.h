/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of the control protocol: what the guests tell of themselves, as JSON. */
#ifndef XENGT_CONTROL_DOCUMENTS_H
#define XENGT_CONTROL_DOCUMENTS_H

#include <stdint.h>

struct guest_info;
struct guests_mapping;
struct guests_shared;
struct guests_type_info;
struct json_object;

/* A line, whatever bytes are in it; a longer one is cut. NULL: null. */
#define DOCUMENT_TEXT_MAX 384
struct json_object *document_text(const char *text);

/* A guest in a list, and with all its counters. */
struct json_object *document_guest(const struct guest_info *info);
struct json_object *document_guest_stats(const struct guest_info *info);

/* A type of vGPU; what VFIO says of one is called as there. */
struct json_object *document_type(const struct guests_type_info *info);

struct json_object *document_mapping(const struct guests_mapping *mapping);

/* dropped: how many before it nobody heard of. */
struct guests_event;
struct json_object *document_event(const struct guests_event *event, uint64_t dropped);

/* The back end, the library's counters and the GPU's: what all guests share. */
struct json_object *document_backend(const struct guests_shared *shared);
struct json_object *document_library(const struct guests_shared *shared);
struct json_object *document_gpu(const struct guests_shared *shared);

#endif
