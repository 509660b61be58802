// `run`, loaded while the helper starts that it is likely to need.

import type { Command } from '../terminal/command.ts';
import { helperAhead } from './helper-ahead.ts';

/** The command; without its arguments nothing is started. */
export async function loadRun(args?: readonly string[]): Promise<Command> {
  const ahead = args === undefined ? undefined : helperAhead(args);
  return (await import('./run.ts')).runCommand(ahead);
}
