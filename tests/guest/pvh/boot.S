/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PVH entry: 32-bit protected mode, paging off, ebx = physical address of struct hvm_start_info.
 * Maps the first 4 GiB one to one with 2 MiB pages and enters 64-bit C.
 */

#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define PTE_PRESENT     0x001
#define PTE_WRITE       0x002
#define PTE_UNCACHED    0x018   /* PWT and PCD */
#define PTE_LARGE       0x080
#define LARGE_SHIFT     21
#define PD_ENTRIES      (4 * 512)
#define GTTMMADR_BASE   0xe0000000
#define GTTMMADR_END    0xe2000000

#define CR0_PG          0x80000000
#define CR4_PAE         0x20
#define MSR_EFER        0xc0000080
#define EFER_LME        0x100

    .section .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f
    .long 4f - 3f
    .long XEN_ELFNOTE_PHYS32_ENTRY
1:  .asciz "Xen"
2:  .balign 4
3:  .long pvh_start
4:  .balign 4

    .text
    .code32
    .globl pvh_start
pvh_start:
    cld
    movl $stack_top, %esp

    /* Entry i of the four page directories, seen as one table, maps i * 2 MiB. */
    movl $page_directories, %edi
    xorl %ecx, %ecx
next_large_page:
    movl %ecx, %eax
    shll $LARGE_SHIFT, %eax
    movl $(PTE_PRESENT | PTE_WRITE | PTE_LARGE), %edx
    cmpl $GTTMMADR_BASE, %eax
    jb cached
    cmpl $GTTMMADR_END, %eax
    jae cached
    orl $PTE_UNCACHED, %edx
cached:
    orl %edx, %eax
    movl %eax, (%edi, %ecx, 8)
    incl %ecx
    cmpl $PD_ENTRIES, %ecx
    jb next_large_page

    movl $(page_directories + PTE_PRESENT + PTE_WRITE), %eax
    movl %eax, pdpt
    addl $0x1000, %eax
    movl %eax, pdpt + 8
    addl $0x1000, %eax
    movl %eax, pdpt + 16
    addl $0x1000, %eax
    movl %eax, pdpt + 24
    movl $(pdpt + PTE_PRESENT + PTE_WRITE), pml4

    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0

    lgdt gdt_pointer
    ljmp $8, $long_mode

    .code64
long_mode:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $on_nmi, %rax
    movw %ax, idt_nmi
    shrq $16, %rax
    movw %ax, idt_nmi + 6
    lidt idt_pointer
    movl %ebx, %edi
    call platform_start     /* does not return */

    /* The only interrupt there is: somebody outside says "go on" (xl trigger NAME nmi). */
on_nmi:
    incl nmi_count
    iretq

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff    /* 64-bit code */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

idt_pointer:
    .word idt_end - idt - 1
    .quad idt

    .data
    .balign 8
idt:
    .skip 2 * 16
idt_nmi:
    .word 0, 8, 0x8e00, 0   /* a 64-bit interrupt gate; the address comes at run time */
    .long 0, 0
idt_end:

    .bss
    .globl nmi_count
    .balign 4
nmi_count:
    .skip 4
    .balign 4096
pml4:
    .skip 4096
pdpt:
    .skip 4096
page_directories:
    .skip 4 * 4096
stack:
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
