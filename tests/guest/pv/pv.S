/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PV guest as far as xl's loader can tell: it is built, stays paused, and never runs. The notes
 * are those of Xen's public/elfnote.h.
 */
    .section .note.Xen, "a", @note
    .macro note type, string
    .align 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  .asciz "\string"
2:
    .align 4
    .endm
    note 5, "xen-3.0" /* XEN_ELFNOTE_XEN_VERSION */
    note 6, "none"    /* XEN_ELFNOTE_GUEST_OS */
    note 8, "generic" /* XEN_ELFNOTE_LOADER */

    .text
    .globl _start
_start:
    jmp _start

    .section .note.GNU-stack, "", @progbits
