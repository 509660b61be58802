// How large the frames are that a side sends: docs/reference/wire.md has one bound for both, and a side that takes more has not agreed on that with the other.

import { defaultLimits, type Limits } from './limits.ts';

/** The payload that may be sent in one frame of the kind. */
export function sentBytesMax(limits: Limits, name: 'frameBytesMax' | 'controlFrameBytesMax'): number {
  return Math.min(limits[name], defaultLimits[name]);
}
