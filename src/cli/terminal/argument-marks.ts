// The mark on each of our arguments, by which no runtime takes one for its own option (docs/decisions/packaging.md).

import { ProxyError } from '../../protocol/error.ts';

const mark = '=';

/** Whether runtime and program are one executable, which takes no option of the runtime from its arguments. */
export function isSingleFile(): boolean {
  return process.versions['bun'] === undefined && process.getBuiltinModule('node:sea').isSea();
}

/** Arguments as our program expects them of whoever starts it: marked, as bin/upstreamproxy does. */
export function markArguments(args: readonly string[], single: boolean = isSingleFile()): readonly string[] {
  return single ? args : args.map((argument) => `${mark}${argument}`);
}

// Node looks for these in all arguments, in a single executable too, and the file can change the runtime's options.
const readByRuntime = /^--experimental-(default-)?config-file(=|$)/;

function unmarked(args: readonly string[]): readonly string[] {
  const found = args.find((argument) => readByRuntime.test(argument));
  if (found === undefined) return args;
  throw new ProxyError(
    'usage',
    `the agent's own runtime would read ${found}; put the command into a script, or write = before each argument`,
  );
}

/** The arguments as they were typed. A single file takes them with and without marks. Throws `usage` if the program was not started by its launcher. */
export function typedArguments(args: readonly string[], single: boolean = isSingleFile()): readonly string[] {
  if (single && !args.every((argument) => argument.startsWith(mark))) return unmarked(args);
  if (!args.every((argument) => argument.startsWith(mark))) {
    throw new ProxyError('usage', 'start the program by bin/upstreamproxy, which protects its process');
  }
  return args.map((argument) => argument.slice(mark.length));
}
