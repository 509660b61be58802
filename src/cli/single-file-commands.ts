// Which commands the single files have, by name. No command is loaded by it: packages and pages for man(1) are made of it too.

import { containerSessionDefinition } from './commands/session-definition.ts';
import type { Definition } from './definition/command-definition.ts';

/** What a container needs. `jail-helper` and `git-sign` are not for people: `run` and git start them. */
export const agentCommands: ReadonlySet<string> = new Set([
  'run',
  'agent',
  'env',
  'doctor',
  'cleanup',
  'connect',
  'session',
  'jail-helper',
  'git-sign',
]);

/** As that file has them. */
export function agentDefinitions(all: readonly Definition[]): readonly Definition[] {
  const named = new Map(all.map((definition) => [definition.name, definition]));
  named.set('session', containerSessionDefinition);
  return [...named.values()].filter(({ name }) => agentCommands.has(name));
}

/** What an operator needs where the gateway is; `run`, which starts other programs of ours, is not among them. */
export const gatewayCommands: ReadonlySet<string> = new Set([
  'init',
  'gateway',
  'gateway-worker',
  'token',
  'ca',
  'credential',
  'keys',
  'identity',
  'audit',
  'session',
  'access',
  'operator',
  'login',
  'context',
  'store',
  'policy',
  'explain',
  'upgrade',
]);
