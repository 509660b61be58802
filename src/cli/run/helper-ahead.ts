// How our own program is started as the helper of the jail, and one before it is known what for.

import { HelperAhead } from '../../agent/jail/helper-process.ts';
import type { HelperProgram, JailLayer } from '../../agent/jail/jail-plan.ts';
import { namedLayers } from '../commands/jail-options-table.ts';
import { isSingleFile, markArguments } from '../terminal/argument-marks.ts';

/** Options with which there is no jail, or another; and one with a descriptor that the helper must not have. */
const options = ['--isolate', '--jail-layers', '--token-fd'];

/** Who is not root has none to give up. */
export function defaultLayers(): readonly JailLayer[] {
  return process.geteuid?.() === 0 ? namedLayers : namedLayers.filter((layer) => layer !== 'capabilities');
}

/** Our own program again; in a single-file build the runtime and the program are one. */
export function helperProgram(): HelperProgram {
  const [, script = ''] = process.argv;
  const own = isSingleFile() ? [] : [...process.execArgv, script];
  return { file: process.execPath, args: [...own, ...markArguments(['jail-helper'])] };
}

/** By the arguments of `run`, read roughly: where another helper is needed than this, it ends. Undefined where one is not likely to be. */
export function helperAhead(args: readonly string[]): HelperAhead | undefined {
  if (args.some((word) => options.some((option) => word.startsWith(option)))) return undefined;
  return HelperAhead.start(helperProgram(), defaultLayers());
}
