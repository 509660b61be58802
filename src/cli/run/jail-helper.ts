// `upstreamproxy jail-helper`: the process that becomes the command of `run`. Not for people.

import { runJailHelper } from '../../agent/jail/jail-helper.ts';
import type { Command } from '../terminal/command.ts';

const usage = `upstreamproxy jail-helper is started by "upstreamproxy run"; use that
`;

export const jailHelperCommand: Command = { usage, run: runJailHelper };
