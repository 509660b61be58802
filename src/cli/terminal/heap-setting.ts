// Settings of V8 for processes that carry data (docs/decisions/heap-settings.md).

import { setFlagsFromString } from 'node:v8';

/** V8 changes with Node's major version only, and the effect of flags of its own was measured with this one. */
const measuredMajor = '26';

/**
 * Makes V8 count the memory of buffers towards the limit of its whole heap, which halves the processor time for each gigabyte, compile
 * what is called often earlier by its best compiler, and let that one take more of what a function calls into it. Called once the process
 * has started: as options of the runtime they would cost the compiled form of Node's own modules, which V8 takes only with the flags that it
 * was made with.
 */
export function tuneEngine(versions: Readonly<NodeJS.ProcessVersions> = process.versions): void {
  if (versions['bun'] !== undefined || versions.node.split('.')[0] !== measuredMajor) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--invocation-count-for-turbofan=700');
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=6000');
  setFlagsFromString('--max-inlined-bytecode-size=1000');
}
