// `upstreamproxy jail-helper`: the process that becomes the command of `run`. Not for people.

import { runJailHelper } from '../../agent/jail/jail-helper.ts';
import { jailHelperDefinition } from '../commands/inner-definitions.ts';
import type { Command } from '../terminal/command.ts';

// Its arguments are read by nobody: what it is to do comes on a descriptor.
export const jailHelperCommand: Command = { definition: jailHelperDefinition, run: runJailHelper };
