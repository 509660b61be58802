// Memory that all tunnels of a process fill again: what is made too often is what most collections of garbage are for.

import { SpareBlocks } from '../protocol/spare-blocks.ts';

/** A tunnel under load has some megabytes on their way: as many blocks are used again, by whichever tunnel, for either way. */
export const sharedBlocks = new SpareBlocks(32);
