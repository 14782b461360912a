/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes an input of dialogue.h by whole records, so that what comes behind keeps its meaning. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Changes 'size' bytes, which may become up to 'most'; the same for the same seed. Returns how many they are then. */
size_t dialogue_mutate(uint8_t *data, size_t size, size_t most, uint32_t seed);

#endif
